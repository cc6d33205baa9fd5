-- A row is one identifier that joins too many others to be one person's. Key: id_type, id_value.
CREATE TABLE identity_conflicts (
  id_type     text NOT NULL,
  id_value    text NOT NULL,
  others      bigint NOT NULL,
  detected_at timestamptz NOT NULL,
  PRIMARY KEY (id_type, id_value)
);
COMMENT ON TABLE identity_conflicts IS 'One row per identifier that is shared by many; it joins nobody';
COMMENT ON COLUMN identity_conflicts.id_type IS 'Kind of identifier';
COMMENT ON COLUMN identity_conflicts.id_value IS 'Keyed hash of the identifier';
COMMENT ON COLUMN identity_conflicts.others IS 'How many identifiers of one type it would join, at least';
COMMENT ON COLUMN identity_conflicts.detected_at IS 'When it was first held to be shared';
