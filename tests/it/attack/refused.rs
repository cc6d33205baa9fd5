//! Statements that a team's user may not run at all, and what catalogs and EXPLAIN keep to themselves.

use super::super::support::{House, run};

/// Ways around the tables: files, optimizer settings, writes, other users' rights.
const REFUSED: &[&str] = &[
    "SET datafusion.optimizer.max_passes = 0",
    "SET datafusion.optimizer.skip_failed_rules = true",
    "SET datafusion.execution.parquet.pushdown_filters = true",
    "SET datafusion.execution.parquet.reorder_filters = true",
    "SET datafusion.catalog.information_schema = true",
    "SET LOCAL datafusion.explain.logical_plan_only = true",
    "SELECT set_config('datafusion.optimizer.max_passes', '0', false)",
    "SHOW datafusion.optimizer.max_passes",
    "SET is_superuser = on",
    "SET session_authorization = 'hq'",
    "SET SESSION AUTHORIZATION hq",
    "SET ROLE hq",
    "SET ROLE headquarters",
    "SET ROLE tmall_team",
    "SET ROLE admin",
    "SET henna.guide_id = 'G001'",
    "SET henna.store_id = 'S001'",
    "CREATE EXTERNAL TABLE stolen STORED AS PARQUET LOCATION '/tmp'",
    "CREATE EXTERNAL TABLE stolen STORED AS CSV LOCATION '/etc/passwd'",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'orders/*.parquet'",
    "SELECT * FROM \"file:///etc/passwd\"",
    "SELECT * FROM read_parquet('orders/*.parquet')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM pg_read_file('/etc/passwd')",
    "SELECT * FROM parquet_metadata('x.parquet')",
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM \"s3://bucket/x.parquet\"",
    "SELECT * FROM delta_scan('tables/public/orders')",
    "SELECT * FROM glob('*')",
    "SELECT pg_read_file('/etc/passwd'), pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/'), pg_stat_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd'), lo_export(1, '/tmp/x')",
    "SELECT query_to_xml('SELECT * FROM orders', true, true, '')",
    "SELECT table_to_xml('orders', true, true, ''), database_to_xml(true, true, '')",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
    "SELECT * FROM dblink('host=127.0.0.1 user=hq', 'SELECT * FROM orders') AS d (a text)",
    "SELECT dblink_exec('host=127.0.0.1', 'DELETE FROM orders'), dblink_connect('x')",
    "SELECT pg_notify('a', 'b'), pg_sleep(0), pg_export_snapshot()",
    "SELECT set_config('role', 'hq', false)",
    "SELECT set_config('session_authorization', 'hq', true)",
    "SELECT set_config('row_security', 'off', false)",
    "SELECT * FROM orders AS OF VERSION 0",
    "SELECT * FROM orders TIMESTAMP AS OF '2020-01-01'",
    "SELECT * FROM orders FOR SYSTEM_TIME AS OF '2020-01-01'",
    "SELECT * FROM \"orders@v0\"",
    "SELECT * FROM orders$history",
    "CREATE EXTENSION dblink",
    "CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR <<< (FUNCTION = leak, LEFTARG = text, RIGHTARG = text)",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "CREATE TEMP VIEW v AS SELECT * FROM orders",
    "CREATE TABLE stolen AS SELECT * FROM orders",
    "SELECT * INTO stolen FROM orders",
    "CREATE STATISTICS s ON team FROM orders",
    "ALTER SYSTEM SET row_security = off",
    "ALTER DATABASE henna SET row_security = off",
    "ALTER ROLE ALL SET row_security = off",
    "ALTER ROLE wecom SET role = 'hq'",
    "ALTER ROLE wecom RENAME TO hq2",
    "ALTER GROUP headquarters ADD USER wecom",
    "GRANT wecom_team TO tmall",
    "REASSIGN OWNED BY admin TO wecom",
    "DROP OWNED BY headquarters",
    "ALTER TABLE orders FORCE ROW LEVEL SECURITY",
    "ALTER TABLE orders RENAME COLUMN team TO mine",
    "ALTER TABLE orders DROP COLUMN team",
    "ALTER VIEW mart.rfm SET (security_invoker = off)",
    "CREATE OR REPLACE VIEW mart.rfm AS SELECT 1 AS one_id",
    "ALTER POLICY orders_wecom ON orders RENAME TO gone",
    "SECURITY LABEL FOR henna ON COLUMN customers.nickname IS NULL",
    "COMMENT ON COLUMN orders.team IS 'mine'",
    "EXPLAIN EXECUTE p",
    "EXPLAIN CREATE TABLE stolen AS SELECT * FROM orders",
    "LISTEN x",
    "COPY orders TO '/tmp/henna-stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/henna-stolen.parquet'",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY orders FROM '/etc/passwd'",
    "COPY orders FROM STDIN",
    "COPY identities TO STDOUT",
    "INSERT INTO orders (channel, order_id) VALUES ('tmall', 'X')",
    "INSERT INTO orders SELECT * FROM orders",
    "UPDATE orders SET team = 'wecom'",
    "UPDATE orders SET paid_amount = 0 WHERE team = 'tmall'",
    "DELETE FROM orders",
    "DELETE FROM orders WHERE team = 'tmall'",
    "TRUNCATE orders",
    "MERGE INTO orders USING customers ON false WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "DROP TABLE orders",
    "DROP VIEW mart.rfm",
    "ALTER TABLE orders RENAME TO mine",
    "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE orders OWNER TO wecom",
    "DROP POLICY orders_wecom ON orders",
    "ALTER POLICY orders_wecom ON orders USING (true)",
    "CREATE POLICY mine ON orders USING (true)",
    "GRANT headquarters TO wecom",
    "GRANT SELECT ON identities TO wecom",
    "REVOKE SELECT ON identities FROM headquarters",
    "ALTER ROLE wecom SUPERUSER",
    "ALTER ROLE wecom BYPASSRLS",
    "ALTER ROLE hq PASSWORD 'mine'",
    "ALTER ROLE wecom SET henna.store_id = 'S001'",
    "CREATE ROLE mine SUPERUSER",
    "CREATE ROLE mine",
    "DROP ROLE tmall",
    "SECURITY LABEL FOR henna ON COLUMN customers.nickname IS 'nickname'",
    "COMMENT ON TABLE orders IS 'mine'",
    "PREPARE p AS DELETE FROM orders",
    "EXPLAIN ANALYZE DELETE FROM orders",
    "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hq' AND pg_terminate_backend(pid)",
    "DO $$ BEGIN END $$",
    "LOAD 'x'",
    "SELECT * FROM identities",
    "SELECT count(*) FROM public.identities",
];

#[test]
fn a_team_user_is_refused_what_goes_around_the_wall() {
    run(async {
        // A copy: should one of these get through, no other test is to see it.
        let house = House::copy().await;
        let hq = house.wire("hq").await;
        let sum = "SELECT count(*), sum(paid_amount), count(DISTINCT team), min(team) FROM orders";
        let all = hq.ask(sum).await;
        for mut door in house.doors("wecom").await {
            let own = door.ask(sum).await;
            let mut faults = Vec::new();
            for sql in REFUSED {
                match door.ask(sql).await {
                    Ok(rows) if sql.contains("pg_terminate_backend") && rows.is_empty() => {}
                    Ok(rows) => faults.push(format!("{sql}: gave {} rows", rows.len())),
                    Err(refusal) if ["XX000", "XX001", "-----"].contains(&refusal.sqlstate.as_str()) => {
                        faults.push(format!("{sql}: {refusal:?}"));
                    }
                    Err(_) => {}
                }
            }
            assert!(faults.is_empty(), "{}: {} of {}\n{}", door.name(), faults.len(), REFUSED.len(), faults.join("\n"));
            assert_eq!((door.ask(sum).await, hq.ask(sum).await), (own, all.clone()));
        }
        assert!(!std::path::Path::new("/tmp/henna-stolen.csv").exists());
        assert!(!std::path::Path::new("/tmp/henna-stolen.parquet").exists());
    });
}

/// As in PostgreSQL: who holds something of a table and may not grant it on is warned.
#[test]
fn without_the_grant_option_nothing_is_given_or_taken() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        client.run("REVOKE SELECT ON orders FROM tmall_team; GRANT SELECT ON orders TO PUBLIC").await;
        let held = |role: &str| format!("SELECT has_table_privilege('{role}', 'orders', 'SELECT')");
        assert_eq!(admin.value(&held("tmall_team")).await, "t");
        assert_eq!(admin.value(&held("public")).await, "f");
    });
}

#[test]
fn explain_tells_neither_policies_nor_counts_of_hidden_rows() {
    run(async {
        let house = House::shared().await;
        let hq = house.wire("hq").await;
        let all = hq.value("SELECT count(*) FROM orders").await;
        for mut client in house.doors("wecom").await {
            for form in [
                "EXPLAIN",
                "EXPLAIN ANALYZE",
                "EXPLAIN VERBOSE",
                "EXPLAIN ANALYZE VERBOSE",
                "EXPLAIN (ANALYZE, VERBOSE)",
            ] {
                for sql in [
                    "SELECT count(*) FROM orders",
                    "SELECT nickname FROM customers",
                    "SELECT * FROM orders WHERE order_id LIKE 'x%'",
                    "SELECT * FROM mart.rfm",
                ] {
                    let Ok(rows) = client.ask(&format!("{form} {sql}")).await else { continue };
                    let text: String = rows.iter().flatten().flatten().map(|cell| format!("{cell}\n")).collect();
                    for told in ["wecom'", "team =", "tmall", "pg_has_role", "role_attribute", ".parquet"] {
                        assert!(!text.contains(told), "{form} {sql} tells {told}:\n{text}");
                    }
                    let words = text.split(|letter: char| !letter.is_ascii_digit());
                    assert!(
                        !words.into_iter().any(|word| word == all),
                        "{form} {sql} tells the count of all rows:\n{text}"
                    );
                }
            }
        }
    });
}

#[test]
fn catalogs_tell_only_what_the_role_may_use() {
    run(async {
        let house = House::shared().await;
        for mut client in house.doors("wecom").await {
            for sql in [
                "SELECT relname FROM pg_catalog.pg_class",
                "SELECT table_name FROM information_schema.tables",
                "SELECT table_name FROM information_schema.columns",
                "SELECT table_name FROM henna.tables",
                "SELECT tablename FROM pg_catalog.pg_tables",
            ] {
                let rows = client.ask(sql).await.unwrap();
                assert!(rows.iter().any(|row| row[0].as_deref() == Some("orders")), "{sql}: {rows:?}");
                assert!(
                    !rows.iter().any(|row| row[0].as_deref().is_some_and(|name| name.contains("identit"))),
                    "{sql}"
                );
            }
            // No estimate or count of a table whose rows are hidden.
            assert_eq!(client.value("SELECT count(rows) FROM henna.tables WHERE table_name = 'orders'").await, "0");
            let estimate = client.value("SELECT reltuples FROM pg_catalog.pg_class WHERE relname = 'orders'").await;
            assert!(["-1", "0"].contains(&estimate.as_str()), "{estimate}");
            for sql in [
                "SELECT count(*) FROM pg_catalog.pg_authid",
                "SELECT count(*) FROM pg_catalog.pg_shadow",
                "SELECT count(*) FROM pg_catalog.pg_stats",
                "SELECT count(*) FROM henna.rejects",
                "SELECT count(*) FROM henna.loads",
            ] {
                // What is there to be read is empty; the rest is refused or missing.
                if let Ok(rows) = client.ask(sql).await {
                    assert_eq!(rows[0][0].as_deref(), Some("0"), "{sql}");
                }
            }
        }
    });
}

#[test]
fn other_users_statements_are_not_told() {
    run(async {
        let house = House::shared().await;
        let hq = house.wire("hq").await;
        hq.run("SELECT count(*) AS of_headquarters_alone FROM orders").await;
        for mut door in house.doors("wecom").await {
            for sql in [
                "SELECT * FROM henna.activity",
                "SELECT * FROM pg_catalog.pg_stat_activity",
                "SELECT * FROM henna.audit_log",
                "SELECT * FROM pg_catalog.pg_prepared_statements",
                "SELECT * FROM pg_catalog.pg_cursors",
            ] {
                let text = format!("{:?}", door.ask(sql).await.unwrap());
                assert!(!text.contains("of_headquarters_alone"), "{}: {sql}: {text}", door.name());
            }
        }
    });
}
