-- A row is one identifier of one person, as identity resolution learnt it from the files. Key: id_type, id_value.
-- Types that begin with _ are no identifiers: _merged (number id_value became one_id; a number itself again after a split), _parted (no load
-- joins the two numbers of id_value), _forgotten (a number that is not given out again).
CREATE TABLE identities (
  id_type    text NOT NULL,
  id_value   text NOT NULL,
  one_id     bigint NOT NULL,
  first_seen timestamptz,
  last_seen  timestamptz,
  source     text,
  PRIMARY KEY (id_type, id_value)
);
COMMENT ON TABLE identities IS 'One row per identifier of a person; filled by identity resolution';
COMMENT ON COLUMN identities.id_type IS 'Kind of identifier: phone, unionid, openid, tmall, douyin, jd, youzan, member, external_userid, customer';
COMMENT ON COLUMN identities.id_value IS 'Keyed hash of the identifier';
COMMENT ON COLUMN identities.one_id IS 'The person it belongs to';
COMMENT ON COLUMN identities.first_seen IS 'When a load first brought it';
COMMENT ON COLUMN identities.last_seen IS 'When a load last brought it, to a day; beyond a million identifiers only loads that bring one in a hundred of them count';
COMMENT ON COLUMN identities.source IS 'The source or table that first brought it';
