-- A row is one file of which rows were refused: what a file of corrected rows must begin with. Key: load_id, file.
CREATE TABLE reject_files (
  load_id    text NOT NULL,
  file       text NOT NULL,
  table_name text NOT NULL,
  source     text,
  delimiter  text,
  head       text NOT NULL,
  header_row integer NOT NULL,
  mapped     boolean NOT NULL,
  PRIMARY KEY (load_id, file)
);
COMMENT ON TABLE reject_files IS 'One row per file of which rows were refused';
COMMENT ON COLUMN reject_files.load_id IS 'The load';
COMMENT ON COLUMN reject_files.file IS 'The name of the file';
COMMENT ON COLUMN reject_files.table_name IS 'The table that was loaded';
COMMENT ON COLUMN reject_files.source IS 'The source whose mapping was used; NULL where the rows are kept in canonical form';
COMMENT ON COLUMN reject_files.delimiter IS 'What stands between its cells; NULL where its rows are JSON objects';
COMMENT ON COLUMN reject_files.head IS 'Its rows before the data, the header among them: a JSON array of texts';
COMMENT ON COLUMN reject_files.header_row IS 'Which of them is the header, from 1';
COMMENT ON COLUMN reject_files.mapped IS 'Whether its rows became rows of the table by a SELECT; those that were refused after it are JSON objects';
