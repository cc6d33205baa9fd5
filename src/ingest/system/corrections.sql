-- A row is one refused row that came again, corrected. Key: load_id, file, line.
CREATE TABLE corrections (
  load_id      text NOT NULL,
  file         text NOT NULL,
  line         bigint NOT NULL,
  corrected_by text NOT NULL,
  corrected_at timestamptz NOT NULL,
  PRIMARY KEY (load_id, file, line)
);
COMMENT ON TABLE corrections IS 'One row per refused row that was corrected and loaded';
COMMENT ON COLUMN corrections.load_id IS 'The load that refused it';
COMMENT ON COLUMN corrections.file IS 'The name of its file';
COMMENT ON COLUMN corrections.line IS 'Its line, as in henna.rejects';
COMMENT ON COLUMN corrections.corrected_by IS 'The load that took it';
COMMENT ON COLUMN corrections.corrected_at IS 'When that load began';
