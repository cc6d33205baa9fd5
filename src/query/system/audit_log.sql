-- A row is one record of the audit log. Made when it is read; the records lie in audit/ of the lake. Superusers see every record
-- and every column; others see what they did themselves, without the columns that would tell of others.
CREATE TABLE audit_log (
  event_time     timestamptz,
  kind           text NOT NULL,
  usename        text,
  role_name      text,
  client_addr    text,
  pid            integer,
  command        text,
  subject        text,
  tables         text[],
  policies       boolean,
  rows           bigint,
  sqlstate       text,
  elapsed_ms     double precision,
  times          bigint,
  statement_hash text,
  hidden_tables  text[],
  epoch          bigint,
  number         bigint,
  previous       text,
  hash           text
);
COMMENT ON TABLE audit_log IS 'One row per login, statement, change of role or of rights, and denial: yours, or all of them for superusers';
COMMENT ON COLUMN audit_log.event_time IS 'When it began';
COMMENT ON COLUMN audit_log.kind IS 'login, role, security, denial, statement; loss and retention are about the log itself, damaged is a line that is not what was written';
COMMENT ON COLUMN audit_log.usename IS 'The user that logged in; null in a refused login of a name that is no role';
COMMENT ON COLUMN audit_log.role_name IS 'The role in which it was done, where that was another';
COMMENT ON COLUMN audit_log.client_addr IS 'Where it came from; null in process';
COMMENT ON COLUMN audit_log.pid IS 'Number of the session';
COMMENT ON COLUMN audit_log.command IS 'SELECT, COPY, GRANT, SET ROLE, LOGIN, ...';
COMMENT ON COLUMN audit_log.subject IS 'The role taken on, what a change of rights was about, the door of a login';
COMMENT ON COLUMN audit_log.tables IS 'Tables and views that the statement named, those within views too';
COMMENT ON COLUMN audit_log.policies IS 'Whether row policies or masks bound the role on one of them';
COMMENT ON COLUMN audit_log.rows IS 'Rows that it gave or changed';
COMMENT ON COLUMN audit_log.sqlstate IS '00000, or the code of the error; null where its reader left before the end';
COMMENT ON COLUMN audit_log.elapsed_ms IS 'From its begin to the last row, the client''s own time included';
COMMENT ON COLUMN audit_log.times IS 'How many equal events the row stands for; of loss, how many are not recorded';
COMMENT ON COLUMN audit_log.statement_hash IS 'SHA-256 of the statement with a question mark for each literal';
COMMENT ON COLUMN audit_log.hidden_tables IS 'Tables that it named and that are hidden from the role; for superusers';
COMMENT ON COLUMN audit_log.epoch IS 'The record of the security log up to which rights counted; for superusers';
COMMENT ON COLUMN audit_log.number IS 'Number of the record; for superusers';
COMMENT ON COLUMN audit_log.previous IS 'Hash of the record before; for superusers';
COMMENT ON COLUMN audit_log.hash IS 'Hash of the record; for superusers';
