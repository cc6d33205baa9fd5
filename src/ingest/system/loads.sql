-- A row is one load, in its newest state. Key: load_id.
CREATE TABLE loads (
  load_id           text PRIMARY KEY,
  table_name        text NOT NULL,
  source            text,
  files             text NOT NULL,
  status            text NOT NULL,
  started_at        timestamptz NOT NULL,
  finished_at       timestamptz,
  rows_read         bigint,
  rows_added        bigint,
  rows_updated      bigint,
  rows_duplicate    bigint,
  rows_rejected     bigint,
  identities_new    bigint,
  identities_merged bigint,
  version           bigint
);
COMMENT ON TABLE loads IS 'One row per load';
COMMENT ON COLUMN loads.load_id IS 'Hash of table, source and content';
COMMENT ON COLUMN loads.table_name IS 'The table that was loaded';
COMMENT ON COLUMN loads.source IS 'The source whose mapping was used';
COMMENT ON COLUMN loads.files IS 'The names of the files';
COMMENT ON COLUMN loads.status IS 'loaded, or refused where too many rows were';
COMMENT ON COLUMN loads.started_at IS 'When the load began';
COMMENT ON COLUMN loads.finished_at IS 'When its commit was durable';
COMMENT ON COLUMN loads.rows_read IS 'Rows of the files';
COMMENT ON COLUMN loads.rows_added IS 'Rows with a new key';
COMMENT ON COLUMN loads.rows_updated IS 'Rows that took the place of a stored one';
COMMENT ON COLUMN loads.rows_duplicate IS 'Rows that changed nothing: equal to, or older than, another of their key';
COMMENT ON COLUMN loads.rows_rejected IS 'Rows that the contract refused; they are in henna.rejects';
COMMENT ON COLUMN loads.identities_new IS 'Persons seen for the first time';
COMMENT ON COLUMN loads.identities_merged IS 'Persons that turned out to be another one';
COMMENT ON COLUMN loads.version IS 'The table''s version after the load';
