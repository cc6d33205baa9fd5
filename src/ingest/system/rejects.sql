-- A row is one row of a file that the contract of its table refused.
CREATE TABLE rejects (
  load_id     text NOT NULL,
  loaded_at   timestamptz NOT NULL,
  table_name  text NOT NULL,
  file        text NOT NULL,
  line        bigint NOT NULL,
  column_name text,
  reason      text NOT NULL,
  raw         text NOT NULL
);
COMMENT ON TABLE rejects IS 'One row per refused row of a load';
COMMENT ON COLUMN rejects.load_id IS 'The load';
COMMENT ON COLUMN rejects.loaded_at IS 'When the load began';
COMMENT ON COLUMN rejects.table_name IS 'The table that was loaded';
COMMENT ON COLUMN rejects.file IS 'The name of the file';
COMMENT ON COLUMN rejects.line IS 'The line of the file; of a Parquet file the row; from 1';
COMMENT ON COLUMN rejects.column_name IS 'The column at fault, NULL where it is the row as a whole';
COMMENT ON COLUMN rejects.reason IS 'What is wrong with it';
COMMENT ON COLUMN rejects.raw IS 'The row as it stands in the file, its first 8192 characters';
