-- A row is one person as the member file knows her, in its newest version. Key: one_id.
CREATE TABLE customers (
  one_id            bigint NOT NULL,
  team              text,
  store_id          text,
  owner_guide_id    text,
  source_channel    text,
  member_level      text,
  registered_at     timestamptz,
  province          text,
  city              text,
  gender            text,
  skin_type         text,
  nickname          text,
  birth_date        date,
  phone_masked      text,
  consent_marketing boolean,
  tags              text[],
  updated_at        timestamptz,
  PRIMARY KEY (one_id)
);
COMMENT ON TABLE customers IS 'One row per person in the member file, in its newest version';
COMMENT ON COLUMN customers.one_id IS 'The one identity of the person over all channels';
COMMENT ON COLUMN customers.team IS 'The team that brought the person in';
COMMENT ON COLUMN customers.store_id IS 'The home store';
COMMENT ON COLUMN customers.owner_guide_id IS 'The guide that the person is bound to';
COMMENT ON COLUMN customers.source_channel IS 'The channel of the first contact';
COMMENT ON COLUMN customers.member_level IS 'Level of membership: basic, silver, gold, diamond';
COMMENT ON COLUMN customers.registered_at IS 'When the person became a member';
COMMENT ON COLUMN customers.province IS 'Province of residence';
COMMENT ON COLUMN customers.city IS 'City of residence';
COMMENT ON COLUMN customers.gender IS 'female, male or NULL where unknown';
COMMENT ON COLUMN customers.skin_type IS 'dry, oily, combination, sensitive, normal or NULL where unknown';
COMMENT ON COLUMN customers.nickname IS 'Display name; personal, masked except for headquarters and the person''s guide';
COMMENT ON COLUMN customers.birth_date IS 'Day of birth; personal, masked except for headquarters and the person''s guide';
COMMENT ON COLUMN customers.phone_masked IS 'Phone number with its middle digits starred; personal, masked except for headquarters and the person''s guide';
COMMENT ON COLUMN customers.consent_marketing IS 'Whether the person agreed to be written to; NULL, where nothing is known, counts as no';
COMMENT ON COLUMN customers.tags IS 'Tags given by staff';
COMMENT ON COLUMN customers.updated_at IS 'When the member file last changed the row; the newest version wins';
