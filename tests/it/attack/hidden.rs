//! What is hidden is told like what is missing, by every statement that can name it.

use super::super::support::{Door, House, Refusal, Rows, run};

/// `{}` is a table or view that the user may not know of, or one that does not exist.
const FORMS: &[&str] = &[
    "SELECT * FROM {}",
    "SELECT nothing FROM {}",
    "SELECT ({}).*",
    "SELECT * FROM ONLY {}",
    "SELECT * FROM {} TABLESAMPLE BERNOULLI (10)",
    "SELECT * FROM {} FOR UPDATE",
    "SELECT * FROM {} AS OF VERSION 1",
    "SELECT * FROM {} VERSION AS OF 1",
    "SELECT * FROM {} FOR SYSTEM_TIME AS OF '2020-01-01'",
    "TABLE {}",
    "SELECT count(*) FROM sales JOIN {} ON true",
    "SELECT count(*) FROM sales NATURAL JOIN {}",
    "SELECT count(*) FROM sales WHERE EXISTS (SELECT 1 FROM {})",
    "SELECT count(*) FROM sales, LATERAL (SELECT * FROM {}) AS l",
    "WITH x AS (SELECT * FROM {}) SELECT 1",
    "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a FROM {}) SELECT * FROM x",
    "SELECT 1 UNION SELECT a FROM {}",
    "EXPLAIN SELECT * FROM {}",
    "EXPLAIN ANALYZE SELECT * FROM {}",
    "EXPLAIN (FORMAT JSON) SELECT * FROM {}",
    "EXPLAIN INSERT INTO {} VALUES (1)",
    "DESCRIBE {}",
    "SHOW COLUMNS FROM {}",
    "SHOW CREATE TABLE {}",
    "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM {}",
    "SELECT '{}'::regclass",
    "SELECT CAST('{}' AS regclass)::oid",
    "SELECT to_regclass('{}')",
    "SELECT to_regclass(n) FROM (VALUES ('{}'), ('sales')) AS v (n)",
    "SELECT has_table_privilege('{}', 'SELECT')",
    "SELECT has_table_privilege('admin', '{}', 'SELECT')",
    "SELECT has_any_column_privilege('{}', 'SELECT')",
    "SELECT has_column_privilege('{}', 'a', 'SELECT')",
    "SELECT has_column_privilege('{}', 1::smallint, 'SELECT')",
    "SELECT row_security_active('{}')",
    "SELECT pg_relation_size('{}'), pg_table_size('{}'), pg_total_relation_size('{}')",
    "SELECT pg_get_viewdef('{}')",
    "SELECT obj_description(to_regclass('{}'), 'pg_class'), col_description(to_regclass('{}'), 1)",
    "SELECT pg_table_is_visible(to_regclass('{}'))",
    "SELECT count(*) FROM pg_class WHERE relname = '{}' OR oid = to_regclass('{}')",
    "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('{}')",
    "SELECT count(*) FROM pg_policies WHERE tablename = '{}'",
    "SELECT count(*) FROM information_schema.columns WHERE table_name = '{}' OR table_schema || '.' || table_name = '{}'",
    "SELECT count(*) FROM information_schema.role_table_grants WHERE table_name = '{}'",
    "SELECT query_to_xml('SELECT * FROM {}', true, true, '')",
    "SELECT table_to_xml('{}', true, true, '')",
    "SELECT * FROM dblink('host=localhost', 'SELECT * FROM {}') AS t (a int)",
    "COPY {} TO STDOUT",
    "COPY {} (a) TO STDOUT",
    "COPY (SELECT * FROM {}) TO STDOUT",
    "COPY {} FROM STDIN",
    "COPY {} (a) FROM STDIN",
    "COPY {} (nothing) FROM STDIN WITH (FORMAT csv)",
    "COPY {} FROM STDIN WITH (FORMAT binary)",
    "PREPARE p AS SELECT * FROM {}",
    "PREPARE p (int) AS SELECT $1 FROM {}",
    "PREPARE p AS INSERT INTO {} VALUES (1)",
    "INSERT INTO {} VALUES (1)",
    "INSERT INTO {} DEFAULT VALUES",
    "INSERT INTO {} (nothing) SELECT 1",
    "INSERT INTO own.kept SELECT a FROM {}",
    "UPDATE {} SET a = 1",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "MERGE INTO {} AS t USING sales AS s ON t.a = 1 WHEN MATCHED THEN DELETE",
    "LOCK TABLE {}",
    "ANALYZE {}",
    "VACUUM {}",
    "DROP TABLE {}",
    "DROP TABLE IF EXISTS {}",
    "DROP VIEW {}",
    "DROP VIEW IF EXISTS {}",
    "ALTER TABLE {} RENAME TO other",
    "ALTER TABLE IF EXISTS {} RENAME TO other",
    "ALTER TABLE {} RENAME COLUMN a TO b",
    "ALTER TABLE {} ADD COLUMN b int",
    "ALTER TABLE {} DROP COLUMN a",
    "ALTER TABLE {} OWNER TO mole",
    "ALTER TABLE {} SET SCHEMA own",
    "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE IF EXISTS {} DISABLE ROW LEVEL SECURITY",
    "ALTER VIEW {} RENAME TO other",
    "ALTER VIEW {} SET (security_invoker = off)",
    "COMMENT ON TABLE {} IS 'x'",
    "COMMENT ON VIEW {} IS 'x'",
    "COMMENT ON COLUMN {}.a IS 'x'",
    "SECURITY LABEL FOR henna ON COLUMN {}.a IS 'NULL'",
    "SECURITY LABEL FOR henna ON COLUMN {}.nothing IS 'NULL'",
    "GRANT SELECT ON {} TO mole",
    "GRANT SELECT (a) ON {} TO PUBLIC",
    "GRANT SELECT (nothing) ON {} TO mole",
    "REVOKE SELECT ON {} FROM mole",
    "CREATE POLICY p ON {} USING (true)",
    "CREATE POLICY p ON {} USING (nothing = 1)",
    "ALTER POLICY p ON {} USING (true)",
    "DROP POLICY p ON {}",
    "DROP POLICY IF EXISTS p ON {}",
    "CREATE TABLE own.c AS SELECT * FROM {}",
    "CREATE VIEW own.c AS SELECT * FROM {}",
    "CREATE TABLE own.c (LIKE {})",
    "CREATE TABLE own.c (x int REFERENCES {} (a))",
    "CREATE TABLE own.c (x int CHECK (x IN (SELECT a FROM {})))",
    "CREATE POLICY p ON own.kept USING (a IN (SELECT a FROM {}))",
    "SECURITY LABEL FOR henna ON COLUMN own.kept.a IS '(SELECT max(a) FROM {})'",
    "CREATE INDEX ON {} (a)",
    "CREATE TRIGGER x BEFORE INSERT ON {} EXECUTE FUNCTION f()",
];

/// Hidden, and a name of the same length that nothing has.
const PAIRS: &[(&str, &str)] = &[
    ("wages", "wagez"),
    ("public.wages", "public.wagez"),
    ("dark.t", "dark.q"),
    ("dark.t", "durk.t"),
    ("dark.v", "dark.q"),
    ("henna.rejects", "henna.rejectz"),
    ("henna.loads", "henna.loadz"),
    ("lit.t", "lit.q"),
];

/// So many of them are tried within transaction blocks, too.
const BLOCK_PAIRS: usize = 3;

#[test]
fn every_statement_tells_hidden_and_missing_alike() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER mole PASSWORD 'henna-demo'; GRANT USAGE ON SCHEMA public TO mole; GRANT SELECT ON sales TO mole").await;
        admin.run("CREATE SCHEMA own AUTHORIZATION mole; CREATE TABLE own.kept (a int); ALTER TABLE own.kept OWNER TO mole").await;
        // In a schema that he may not use, a table that is granted to him too, and in one that he may use, one that is not.
        admin.run("CREATE SCHEMA dark; CREATE TABLE dark.t (a int); CREATE VIEW dark.v AS SELECT a FROM dark.t; GRANT SELECT ON dark.t TO mole").await;
        admin.run("CREATE SCHEMA lit; CREATE TABLE lit.t (a int); GRANT USAGE ON SCHEMA lit TO mole").await;
        admin.run("CREATE POLICY p ON lit.t USING (true); COMMENT ON TABLE lit.t IS 'hidden'").await;
        let mut faults = Vec::new();
        for mut door in house.doors("mole").await {
            for (hidden, missing) in PAIRS {
                for form in FORMS {
                    let told = asked(&mut door, &form.replace("{}", hidden), hidden).await;
                    let wanted = asked(&mut door, &form.replace("{}", missing), missing).await;
                    if told != wanted {
                        faults.push(format!("{}: {form}\n  {hidden} {told:?}\n  {missing} {wanted:?}", door.name()));
                    }
                }
            }
        }
        // A transaction block takes what it is told down, and plans it again when it ends.
        let mut door = Door::Wire(house.wire("mole").await);
        for (hidden, missing) in &PAIRS[..BLOCK_PAIRS] {
            for form in FORMS {
                let mut told = Vec::new();
                for name in [hidden, missing] {
                    door.run("BEGIN").await;
                    let answer = asked(&mut door, &form.replace("{}", name), name).await;
                    told.push((answer, door.ask("SELECT 1").await, door.ask("COMMIT").await));
                }
                if told[0] != told[1] {
                    faults.push(format!("in a block: {form}\n  {hidden} {:?}\n  {missing} {:?}", told[0], told[1]));
                }
            }
        }
        assert!(faults.is_empty(), "{} statements tell what is hidden:\n{}", faults.len(), faults.join("\n"));
        assert_eq!(admin.value("SELECT count(*) FROM dark.t, lit.t, own.kept").await, "0");
    });
}

/// What the client is told, without the name that it gave itself. Some refusals write the statement in capitals.
async fn asked(door: &mut Door, sql: &str, name: &str) -> (Result<Rows, Refusal>, Vec<String>) {
    let nameless = |text: &str| {
        let bare = name.rsplit('.').next().unwrap();
        let text = text.replace(name, "?").replace(&name.to_uppercase(), "?");
        text.replace(&format!("\"{bare}\""), "\"?\"")
            .replace(&format!(".{bare}"), ".?")
            .replace(&format!(" {bare} "), " ? ")
    };
    let answer = door.ask(sql).await.map_err(|refusal| Refusal {
        message: nameless(&refusal.message),
        detail: refusal.detail.as_deref().map(nameless),
        ..refusal
    });
    let notices = match door {
        Door::InProcess(session) => session.notices().iter().map(|notice| nameless(notice)).collect(),
        Door::Wire(_) => Vec::new(),
    };
    (answer, notices)
}

/// As an operator would guess them: near those of what he may see, and of names that he tries.
#[test]
fn a_guessed_oid_leads_nowhere() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER mole PASSWORD 'henna-demo'; GRANT USAGE ON SCHEMA public TO mole; GRANT SELECT ON sales TO mole").await;
        let hidden = admin.value("SELECT CAST('wages'::regclass AS oid)").await;
        assert!(hidden.parse::<u32>().is_ok(), "{hidden}");
        for mut door in house.doors("mole").await {
            for nobody in [hidden.as_str(), "4294967000"] {
                assert_eq!(door.value(&format!("SELECT CAST(CAST({nobody}::oid AS regclass) AS text)")).await, nobody);
                for asked in [
                    "obj_description({}, 'pg_class')",
                    "pg_get_viewdef({}::oid)",
                    "has_table_privilege({}::oid, 'SELECT')",
                    "pg_relation_size({}::oid)",
                    "col_description({}::oid, 1)",
                ] {
                    let sql = format!("SELECT {}", asked.replace("{}", nobody));
                    let told = door.ask(&sql).await.map(|rows| rows[0][0].clone().unwrap_or_default());
                    assert!(
                        told.as_deref().is_ok_and(|text| ["", "0"].contains(&text)),
                        "{}: {sql}: {told:?}",
                        door.name()
                    );
                }
            }
        }
    });
}

/// What may be known of a table whose rows are hidden: nothing that counts them.
#[test]
fn statistics_sizes_and_estimates_are_not_told() {
    run(async {
        let house = House::shared().await;
        for mut door in house.doors("wecom").await {
            for (sql, nothing) in [
                (
                    "SELECT relpages, reltuples, relallvisible FROM pg_class WHERE relname = 'orders'",
                    ["0", "-1", "0"].as_slice(),
                ),
                (
                    "SELECT pg_relation_size('orders'), pg_table_size('orders'), pg_total_relation_size('orders'), pg_indexes_size('orders')",
                    &["0"; 4],
                ),
                ("SELECT pg_database_size('henna'), pg_database_size(current_database())", &["0"; 2]),
                ("SELECT count(*) FROM pg_stats", &["0"]),
                (
                    "SELECT count(n_live_tup), count(seq_scan), count(n_tup_ins) FROM pg_stat_user_tables WHERE relname = 'orders'",
                    &["0"; 3],
                ),
                ("SELECT count(heap_blks_read) FROM pg_statio_user_tables", &["0"]),
                ("SELECT count(rows), count(files), count(bytes), count(version) FROM henna.tables", &["0"; 4]),
                ("SELECT count(*) FROM pg_policies WHERE qual IS NOT NULL OR with_check IS NOT NULL", &["0"]),
                ("SELECT count(*) FROM pg_policy WHERE polqual IS NOT NULL", &["0"]),
                ("SELECT count(*) FROM pg_seclabel", &["0"]),
                ("SELECT count(*) FROM pg_db_role_setting", &["0"]),
                ("SELECT count(*) FROM pg_roles WHERE rolpassword <> '********' OR rolconfig IS NOT NULL", &["0"]),
                (
                    "SELECT count(number), count(previous), count(hash), count(epoch), count(hidden_tables) FROM henna.audit_log",
                    &["0"; 5],
                ),
                ("SELECT count(*) FROM henna.audit_log WHERE usename <> 'wecom'", &["0"]),
                ("SELECT count(*) FROM pg_stat_activity WHERE query IS NOT NULL AND usename <> 'wecom'", &["0"]),
            ] {
                let told = match door.ask(sql).await {
                    Ok(rows) => rows[0].iter().map(|cell| cell.clone().unwrap_or_default()).collect::<Vec<_>>(),
                    Err(refusal) => panic!("{}: {sql}: {refusal}", door.name()),
                };
                // An estimate of PostgreSQL's for "unknown".
                assert!(
                    told == nothing || (sql.contains("reltuples") && told == ["0", "0", "0"]),
                    "{}: {sql}: {told:?}",
                    door.name()
                );
            }
            for secret in ["pg_authid", "pg_shadow"] {
                let refusal = door.ask(&format!("SELECT * FROM {secret}")).await.unwrap_err();
                assert_eq!(refusal.sqlstate, "42501", "{secret}: {refusal}");
            }
        }
    });
}
