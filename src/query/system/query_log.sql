-- A row is one statement that has ended, literals removed. Made when it is read; the records lie in queries/ of the lake. Superusers
-- see all; others see those of logins whose rights they have.
CREATE TABLE query_log (
  query_time   timestamptz NOT NULL,
  usename      text,
  role_name    text,
  client_addr  text,
  pid          integer,
  command      text,
  statement    text,
  tables       text[],
  rows         bigint,
  bytes        bigint,
  cpu_ms       double precision,
  memory_bytes bigint,
  spill_bytes  bigint,
  sqlstate     text,
  elapsed_ms   double precision,
  times        bigint
);
COMMENT ON TABLE query_log IS 'One row per statement that has ended and what it cost: yours, or all of them for superusers';
COMMENT ON COLUMN query_log.query_time IS 'When it began';
COMMENT ON COLUMN query_log.usename IS 'The user that logged in';
COMMENT ON COLUMN query_log.role_name IS 'The role in which it ran, where that was another';
COMMENT ON COLUMN query_log.client_addr IS 'Where it came from; null in process';
COMMENT ON COLUMN query_log.pid IS 'Number of the session';
COMMENT ON COLUMN query_log.command IS 'SELECT, COPY, INSERT, GRANT, ...';
COMMENT ON COLUMN query_log.statement IS 'Its text with a question mark for each literal; null where it may hold a password';
COMMENT ON COLUMN query_log.tables IS 'Tables and views that it named, those within views too';
COMMENT ON COLUMN query_log.rows IS 'Rows that it gave or changed';
COMMENT ON COLUMN query_log.bytes IS 'Bytes of the rows that it gave, as they lay in memory; null where row policies or masks were in its way, as the two below';
COMMENT ON COLUMN query_log.cpu_ms IS 'Time that its operators computed, of all threads; what runs behind row policies is left out';
COMMENT ON COLUMN query_log.memory_bytes IS 'The most that its joins and groupings held, added up, as far as they tell';
COMMENT ON COLUMN query_log.spill_bytes IS 'Bytes that they wrote to disk for want of memory';
COMMENT ON COLUMN query_log.sqlstate IS '00000, or the code of the error; null where its reader left before the end';
COMMENT ON COLUMN query_log.elapsed_ms IS 'From its begin to the last row, the client''s own time included';
COMMENT ON COLUMN query_log.times IS 'How many equal statements of its session the row stands for; only where they name no table. What it cost is of the first';
