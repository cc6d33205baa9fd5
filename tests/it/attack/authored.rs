//! What users make must not widen what anybody sees: views as caller and as owner, tables of one's own, rows by INSERT.

use super::super::support::{House, Refusal, Wire, run};

/// A copy of the demo with schema `lena`, which belongs to `wecom`; `tmall` may use it.
async fn house() -> House {
    let house = House::copy().await;
    let admin = house.wire("admin").await;
    admin.run("CREATE SCHEMA lena AUTHORIZATION wecom").await;
    house.wire("wecom").await.run("GRANT USAGE ON SCHEMA lena TO tmall, hq").await;
    house
}

async fn column(client: &Wire, sql: &str) -> Vec<String> {
    let rows = client.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row[0].clone().unwrap_or_else(|| "NULL".to_owned())).collect()
}

#[track_caller]
fn refused(answer: Result<super::super::support::Rows, Refusal>, sqlstate: &str, message: &str) {
    let refusal = answer.unwrap_err();
    assert_eq!((refusal.sqlstate.as_str(), refusal.message.as_str()), (sqlstate, message), "{:?}", refusal.detail);
}

#[test]
fn a_view_shows_each_reader_its_own_rows_whoever_made_it() {
    run(async {
        let house = house().await;
        let (wecom, tmall, hq) = (house.wire("wecom").await, house.wire("tmall").await, house.wire("hq").await);
        wecom.run("CREATE VIEW lena.teams AS SELECT team, count(*) AS orders FROM orders GROUP BY team").await;
        let teams = "SELECT team FROM lena.teams ORDER BY team";
        // Without a grant it is not there.
        refused(tmall.ask(teams).await, "42P01", "relation \"lena.teams\" does not exist");
        wecom.run("GRANT SELECT ON lena.teams TO tmall, hq").await;
        assert_eq!(column(&wecom, teams).await, ["wecom"]);
        assert_eq!(column(&tmall, teams).await, ["tmall"]);
        let all = column(&hq, "SELECT DISTINCT team FROM orders ORDER BY team").await;
        assert_eq!(column(&hq, teams).await, all);
        // One column granted is one column read, here too.
        wecom.run("REVOKE SELECT ON lena.teams FROM tmall; GRANT SELECT (team) ON lena.teams TO tmall").await;
        assert_eq!(column(&tmall, teams).await, ["tmall"]);
        refused(tmall.ask("SELECT orders FROM lena.teams").await, "42501", "permission denied for view teams");
        // A reader that loses the table loses the view.
        house.wire("admin").await.run("REVOKE SELECT ON orders FROM tmall_team").await;
        assert!(tmall.ask(teams).await.is_err());
    });
}

#[test]
fn a_view_as_owner_shows_its_owners_rows_to_those_with_a_grant() {
    run(async {
        let house = house().await;
        let (wecom, tmall, hq) = (house.wire("wecom").await, house.wire("tmall").await, house.wire("hq").await);
        let text = "SELECT team, current_user AS reader, count(*) AS orders FROM orders GROUP BY team";
        wecom.run(&format!("CREATE VIEW lena.given WITH (security_invoker = off) AS {text}")).await;
        let teams = "SELECT team FROM lena.given ORDER BY team";
        refused(tmall.ask(teams).await, "42P01", "relation \"lena.given\" does not exist");
        wecom.run("GRANT SELECT ON lena.given TO tmall, hq").await;
        assert_eq!(column(&tmall, teams).await, ["wecom"]);
        // Not one row more for a reader who sees them all by himself.
        assert_eq!(column(&hq, teams).await, ["wecom"]);
        assert_eq!(column(&tmall, "SELECT reader FROM lena.given").await, ["tmall"]);
        // A view as caller within it reads as its owner, one as owner within a view as caller too.
        wecom.run("CREATE VIEW lena.plain AS SELECT team FROM orders").await;
        wecom
            .run("CREATE VIEW lena.outer_owner WITH (security_invoker = off) AS SELECT DISTINCT team FROM lena.plain")
            .await;
        wecom.run("CREATE VIEW lena.outer_caller AS SELECT g.team FROM lena.given AS g, orders AS o WHERE o.team <> g.team GROUP BY g.team").await;
        wecom.run("GRANT SELECT ON lena.outer_owner, lena.outer_caller TO tmall").await;
        assert_eq!(column(&tmall, "SELECT team FROM lena.outer_owner").await, ["wecom"]);
        assert_eq!(column(&tmall, "SELECT team FROM lena.outer_caller").await, ["wecom"]);
        assert_eq!(column(&wecom, "SELECT team FROM lena.outer_caller").await, Vec::<String>::new());
        // One column granted is one column read.
        wecom.run("REVOKE SELECT ON lena.given FROM tmall; GRANT SELECT (team) ON lena.given TO tmall").await;
        assert_eq!(column(&tmall, teams).await, ["wecom"]);
        refused(tmall.ask("SELECT orders FROM lena.given").await, "42501", "permission denied for view given");
        refused(
            tmall.ask("SELECT team FROM lena.given WHERE orders > 0").await,
            "42501",
            "permission denied for view given",
        );
        // Its text names what they may not know of.
        assert_eq!(tmall.value("SELECT pg_get_viewdef('lena.given') IS NULL").await, "t");
        assert_eq!(wecom.value("SELECT pg_get_viewdef('lena.given') IS NULL").await, "f");
        // What the owner may no longer read, nobody reads through the view; the error names nothing of its inside.
        house.wire("admin").await.run("REVOKE wecom_team FROM wecom").await;
        refused(tmall.ask(teams).await, "42501", "permission denied for view given");
    });
}

#[test]
fn a_prepared_statement_follows_the_rights_of_a_view() {
    run(async {
        let house = house().await;
        let (wecom, tmall) = (house.wire("wecom").await, house.wire("tmall").await);
        wecom.run("CREATE VIEW lena.v AS SELECT DISTINCT team FROM orders").await;
        wecom.run("GRANT SELECT ON lena.v TO tmall").await;
        let statement = tmall.client.prepare("SELECT team FROM lena.v").await.unwrap();
        let read = async || -> Option<String> { Some(tmall.client.query(&statement, &[]).await.ok()?.first()?.get(0)) };
        assert_eq!(read().await.as_deref(), Some("tmall"));
        wecom.run("ALTER VIEW lena.v SET (security_invoker = off)").await;
        assert_eq!(read().await.as_deref(), Some("wecom"));
        wecom.run("ALTER VIEW lena.v RESET (security_invoker)").await;
        assert_eq!(read().await.as_deref(), Some("tmall"));
        wecom.run("DROP VIEW lena.v").await;
        assert_eq!(read().await, None);
    });
}

#[test]
fn a_condition_of_the_reader_does_not_run_on_rows_that_a_view_as_owner_leaves_out() {
    run(async {
        let house = house().await;
        let (wecom, tmall, hq) = (house.wire("wecom").await, house.wire("tmall").await, house.wire("hq").await);
        wecom.run("GRANT CREATE ON SCHEMA lena TO hq").await;
        // Its owner sees every order, so nothing but the view itself keeps the cancelled ones from others.
        let text = "SELECT order_id, status, paid_amount FROM orders WHERE status <> 'cancelled'";
        hq.run(&format!("CREATE VIEW lena.kept WITH (security_invoker = off) AS {text}")).await;
        hq.run("GRANT SELECT ON lena.kept TO tmall").await;
        assert_ne!(hq.value("SELECT count(*) FROM orders WHERE status = 'cancelled'").await, "0");
        let all = tmall.value("SELECT count(*) FROM lena.kept").await;
        for attack in [
            "SELECT count(*) FROM lena.kept WHERE 1 / (CASE WHEN status = 'cancelled' THEN 0 ELSE 1 END) > 0",
            "SELECT count(*) FROM lena.kept WHERE CAST(CASE WHEN status = 'cancelled' THEN 'secret ' || order_id ELSE '1' END AS integer) = 1",
            "SELECT count(x) FROM (SELECT 1 / (CASE WHEN status = 'cancelled' THEN 0 ELSE 1 END) AS x FROM lena.kept) AS q",
            "SELECT count(*) FROM lena.kept WHERE status <> 'cancelled'",
        ] {
            assert_eq!(tmall.value(attack).await, all, "{attack}");
        }
        // A plan shows the view and nothing within.
        let plan = column(&tmall, "EXPLAIN SELECT * FROM lena.kept WHERE paid_amount > 1").await.join("\n");
        assert!(plan.contains("SecureScan: table=lena.kept") && !plan.contains("orders"), "{plan}");
        // An error within the view says that it is one.
        wecom.run("CREATE VIEW lena.failing WITH (security_invoker = off) AS SELECT CAST(order_id AS integer) AS n FROM orders").await;
        wecom.run("GRANT SELECT ON lena.failing TO tmall").await;
        let refusal = tmall.ask("SELECT sum(n) FROM lena.failing").await.unwrap_err();
        assert_eq!(refusal.message, "view failing failed");
    });
}

#[test]
fn to_own_a_schema_is_not_to_own_the_views_in_it() {
    run(async {
        let house = house().await;
        let (wecom, hq) = (house.wire("wecom").await, house.wire("hq").await);
        wecom.run("GRANT CREATE ON SCHEMA lena TO hq").await;
        hq.run("CREATE VIEW lena.hqs AS SELECT DISTINCT team FROM orders").await;
        hq.run("GRANT SELECT ON lena.hqs TO wecom").await;
        for theft in [
            "ALTER VIEW lena.hqs SET (security_invoker = off)",
            "CREATE OR REPLACE VIEW lena.hqs WITH (security_invoker = off) AS SELECT DISTINCT team FROM orders",
            "ALTER VIEW lena.hqs RENAME TO mine",
            "ALTER VIEW lena.hqs OWNER TO wecom",
        ] {
            refused(wecom.ask(theft).await, "42501", "must be owner of view hqs");
        }
        assert_eq!(column(&wecom, "SELECT team FROM lena.hqs").await, ["wecom"]);
        // Nor can one give a view to somebody whose rights one has not.
        wecom.run("CREATE VIEW lena.bait WITH (security_invoker = off) AS SELECT DISTINCT team FROM orders").await;
        let refusal = wecom.ask("ALTER VIEW lena.bait OWNER TO hq").await.unwrap_err();
        assert_eq!(refusal.sqlstate, "42501", "{refusal}");
        wecom.run("DROP VIEW lena.hqs").await;
    });
}

#[test]
fn a_table_that_is_made_again_has_nothing_of_the_one_before() {
    run(async {
        let house = house().await;
        let (wecom, tmall) = (house.wire("wecom").await, house.wire("tmall").await);
        wecom.run("CREATE TABLE lena.t (a int); INSERT INTO lena.t VALUES (1); GRANT SELECT ON lena.t TO tmall").await;
        wecom.run("CREATE POLICY p ON lena.t USING (true); ALTER TABLE lena.t ENABLE ROW LEVEL SECURITY").await;
        assert_eq!(column(&tmall, "SELECT a FROM lena.t").await, ["1"]);
        wecom.run("DROP TABLE lena.t; CREATE TABLE lena.t (a int); INSERT INTO lena.t VALUES (2)").await;
        refused(tmall.ask("SELECT a FROM lena.t").await, "42P01", "relation \"lena.t\" does not exist");
        wecom.run("CREATE POLICY p ON lena.t USING (true)").await;
        wecom.run("DROP SCHEMA lena CASCADE").await;
        house.wire("admin").await.run("CREATE SCHEMA lena AUTHORIZATION wecom").await;
        wecom.run("CREATE TABLE lena.t (a int); GRANT SELECT ON lena.t TO tmall").await;
        assert!(tmall.ask("SELECT a FROM lena.t").await.is_err());
    });
}

#[test]
fn new_rows_pass_the_policies_of_their_table() {
    run(async {
        let house = house().await;
        let (wecom, tmall, hq) = (house.wire("wecom").await, house.wire("tmall").await, house.wire("hq").await);
        wecom.run("CREATE TABLE lena.notes (author text DEFAULT current_user, team text, note text)").await;
        wecom.run("GRANT SELECT, INSERT ON lena.notes TO tmall; GRANT INSERT ON lena.notes TO hq").await;
        wecom.run("ALTER TABLE lena.notes ENABLE ROW LEVEL SECURITY").await;
        let violates = "new row violates row-level security policy for table \"notes\"";
        // No policy, no row.
        refused(tmall.ask("INSERT INTO lena.notes VALUES ('tmall')").await, "42501", violates);
        wecom.run("CREATE POLICY own ON lena.notes TO PUBLIC USING (author = current_user)").await;
        tmall.run("INSERT INTO lena.notes VALUES ('tmall', 'x', 'mine')").await;
        tmall.run("INSERT INTO lena.notes (note) VALUES ('by default')").await;
        refused(tmall.ask("INSERT INTO lena.notes VALUES ('wecom', 'x', 'not mine')").await, "42501", violates);
        refused(tmall.ask("INSERT INTO lena.notes VALUES (NULL, 'x', 'nobody')").await, "42501", violates);
        refused(hq.ask("INSERT INTO lena.notes VALUES ('tmall', 'x', 'not his')").await, "42501", violates);
        // One row that is not taken takes all with it.
        let mixed = "INSERT INTO lena.notes SELECT CASE WHEN n = 900 THEN 'hq' ELSE 'tmall' END, 'x', 'y' FROM generate_series(1, 1000) AS g (n)";
        refused(tmall.ask(mixed).await, "42501", violates);
        assert_eq!(wecom.value("SELECT count(*) FROM lena.notes").await, "2");
        // Sub-queries of a policy are the writer's own.
        wecom.run("CREATE POLICY teams ON lena.notes AS RESTRICTIVE FOR INSERT WITH CHECK (team IN (SELECT team FROM orders))").await;
        tmall.run("INSERT INTO lena.notes VALUES ('tmall', 'tmall', 'seen')").await;
        refused(tmall.ask("INSERT INTO lena.notes VALUES ('tmall', 'douyin', 'unseen')").await, "42501", violates);
        refused(tmall.ask("INSERT INTO lena.notes VALUES ('tmall', NULL, 'unknown')").await, "42501", violates);
        wecom.run("ALTER POLICY teams ON lena.notes WITH CHECK (EXISTS (SELECT 1 FROM orders WHERE orders.team = notes.team))").await;
        tmall.run("INSERT INTO lena.notes VALUES ('tmall', 'tmall', 'seen')").await;
        refused(tmall.ask("INSERT INTO lena.notes VALUES ('tmall', 'douyin', 'unseen')").await, "42501", violates);
        // The writer's own error is told, not the policy's.
        let refusal = tmall.ask("INSERT INTO lena.notes SELECT 'tmall', 'tmall', CAST(1 / (n - 1) AS text) FROM generate_series(1, 2) AS g (n)").await.unwrap_err();
        assert_eq!(refusal.sqlstate, "22012", "{refusal}");
        wecom.run("ALTER POLICY teams ON lena.notes WITH CHECK (1 / length(note) > 0)").await;
        let refusal = tmall.ask("INSERT INTO lena.notes VALUES ('tmall', 'tmall', '')").await.unwrap_err();
        assert_eq!(refusal.message, "row policy of table notes failed");
        tmall.run("SET row_security = off").await;
        let refusal = tmall.ask("INSERT INTO lena.notes VALUES ('tmall', 'tmall', 'x')").await.unwrap_err();
        assert_eq!(refusal.sqlstate, "42501");
        // The owner is bound where the policies are forced.
        wecom.run("INSERT INTO lena.notes VALUES ('anyone', 'none', '')").await;
        wecom.run("ALTER TABLE lena.notes FORCE ROW LEVEL SECURITY").await;
        assert!(wecom.ask("INSERT INTO lena.notes VALUES ('anyone', 'none', 'x')").await.is_err());
        assert_eq!(column(&tmall, "RESET row_security; SELECT count(*) FROM lena.notes").await, ["4"]);
    });
}

#[test]
fn insert_takes_the_right_to_each_column() {
    run(async {
        let house = house().await;
        let (wecom, tmall) = (house.wire("wecom").await, house.wire("tmall").await);
        wecom.run("CREATE TABLE lena.t (a int, b int); GRANT INSERT (a) ON lena.t TO tmall").await;
        tmall.run("INSERT INTO lena.t (a) VALUES (1)").await;
        refused(tmall.ask("INSERT INTO lena.t (a, b) VALUES (1, 2)").await, "42501", "permission denied for table t");
        refused(tmall.ask("INSERT INTO lena.t VALUES (1, 2)").await, "42501", "permission denied for table t");
        refused(tmall.ask("SELECT a FROM lena.t").await, "42501", "permission denied for table t");
        // A row is copied by those only who may read it.
        refused(
            tmall.ask("INSERT INTO lena.t (a) SELECT b FROM lena.t").await,
            "42501",
            "permission denied for table t",
        );
        let statement = tmall.client.prepare("INSERT INTO lena.t (a) VALUES ($1), ($2)").await.unwrap();
        assert_eq!(tmall.client.execute(&statement, &[&7i32, &None::<i32>]).await.unwrap(), 2);
        assert_eq!(column(&wecom, "SELECT a FROM lena.t ORDER BY a").await, ["1", "7", "NULL"]);
    });
}

#[test]
fn what_a_policy_reads_cannot_be_taken_from_under_it() {
    run(async {
        let house = house().await;
        let (wecom, admin) = (house.wire("wecom").await, house.wire("admin").await);
        wecom.run("CREATE TABLE lena.hidden (team text); INSERT INTO lena.hidden VALUES ('wecom')").await;
        admin.run("CREATE POLICY quiet ON orders AS RESTRICTIVE TO wecom_team USING (team NOT IN (SELECT team FROM lena.hidden))").await;
        assert_eq!(wecom.value("SELECT count(*) FROM orders").await, "0");
        for statement in [
            "DROP TABLE lena.hidden",
            "DROP TABLE lena.hidden CASCADE",
            "DROP SCHEMA lena CASCADE",
            "ALTER TABLE lena.hidden RENAME TO shown",
        ] {
            let refusal = wecom.ask(statement).await.unwrap_err();
            assert_eq!(refusal.sqlstate, "2BP01", "{statement}: {refusal}");
        }
        assert_eq!(wecom.value("SELECT count(*) FROM orders").await, "0");
        // Its own policies its owner may lose.
        wecom.run("CREATE TABLE lena.list (a int); CREATE TABLE lena.t (a int)").await;
        wecom.run("CREATE POLICY p ON lena.t USING (a IN (SELECT a FROM lena.list))").await;
        assert_eq!(wecom.ask("DROP TABLE lena.list").await.unwrap_err().sqlstate, "2BP01");
        wecom.run("DROP TABLE lena.list CASCADE").await;
        assert_eq!(wecom.value("SELECT count(*) FROM pg_policies WHERE tablename = 't'").await, "0");
    });
}

/// A trap that another falls into: it would run with his rights, and what it tells would come to who laid it.
#[test]
fn what_one_wrote_does_not_speak_with_anothers_rights() {
    run(async {
        let house = house().await;
        let (wecom, hq) = (house.wire("wecom").await, house.wire("hq").await);
        for mut door in house.doors("wecom").await {
            for trap in [
                "has_table_privilege('identities', 'SELECT')",
                "CASE WHEN pg_relation_size('orders') > 1000000 THEN true END",
                "pg_get_viewdef('dark.v') LIKE '%secret%'",
                "to_regclass('identities') IS NOT NULL",
                "as_of() > TIMESTAMPTZ '2025-01-01'",
                "set_config('search_path', 'lena', false) = ''",
                "pg_terminate_backend(1)",
                "pseudonym('x', 'y') = 'z'",
                "(SELECT count(*) FROM orders) > 0",
            ] {
                let refusal =
                    door.ask(&format!("CREATE TABLE lena.trap (a int, b boolean DEFAULT {trap})")).await.unwrap_err();
                assert!(["0A000", "42P01", "42501"].contains(&refusal.sqlstate.as_str()), "{trap}: {refusal}");
            }
            for trap in
                ["set_config('search_path', 'lena', false)", "pg_cancel_backend(1)", "(SELECT pg_terminate_backend(1))"]
            {
                for rights in ["on", "off"] {
                    let sql = format!(
                        "CREATE VIEW lena.trap WITH (security_invoker = {rights}) AS SELECT 1 AS a, {trap} AS b"
                    );
                    let refusal = door.ask(&sql).await.unwrap_err();
                    assert_eq!(refusal.sqlstate, "0A000", "{sql}: {refusal}");
                }
            }
        }
        // Who adds a row may be named in it.
        wecom.run("CREATE TABLE lena.notes (a int, b text DEFAULT current_user, c text DEFAULT role_attribute('store_id'))").await;
        wecom.run("GRANT INSERT ON lena.notes TO hq").await;
        hq.run("INSERT INTO lena.notes (a) VALUES (1)").await;
        assert_eq!(wecom.value("SELECT b FROM lena.notes").await, "hq");
    });
}

#[test]
fn views_that_grow_without_end_are_refused() {
    run(async {
        let house = house().await;
        let wecom = house.wire("wecom").await;
        wecom.run("CREATE VIEW lena.v0 AS SELECT 1 AS a").await;
        let mut refusal = None;
        for level in 1..40 {
            let sql = format!("CREATE VIEW lena.v{level} AS SELECT x.a FROM lena.v{0} AS x, lena.v{0} AS y", level - 1);
            if let Err(error) = wecom.ask(&sql).await {
                refusal = Some((level, error));
                break;
            }
        }
        let (level, error) = refusal.unwrap();
        assert_eq!(error.sqlstate, "54000", "{error}");
        assert!(level < 20, "{level}");
        let mut refusal = None;
        wecom.run("CREATE VIEW lena.d0 AS SELECT 1 AS a").await;
        for level in 1..60 {
            if let Err(error) =
                wecom.ask(&format!("CREATE VIEW lena.d{level} AS SELECT a FROM lena.d{}", level - 1)).await
            {
                refusal = Some((level, error));
                break;
            }
        }
        let (level, error) = refusal.unwrap();
        assert_eq!((error.sqlstate.as_str(), level), ("54000", 32), "{error}");
        assert_eq!(wecom.value("SELECT a FROM lena.d31").await, "1");
        wecom.run("CREATE VIEW lena.o0 WITH (security_invoker = off) AS SELECT 1 AS a").await;
        for level in 1..32 {
            let sql =
                format!("CREATE VIEW lena.o{level} WITH (security_invoker = off) AS SELECT a FROM lena.o{}", level - 1);
            wecom.run(&sql).await;
        }
        assert_eq!(wecom.value("SELECT a FROM lena.o31").await, "1");
    });
}

#[test]
fn the_right_to_make_schemas_is_granted_and_taken() {
    run(async {
        let house = House::copy().await;
        let (admin, tmall, wecom) = (house.wire("admin").await, house.wire("tmall").await, house.wire("wecom").await);
        assert_eq!(tmall.ask("CREATE SCHEMA mine").await.unwrap_err().sqlstate, "42501");
        assert_eq!(tmall.ask("GRANT CREATE ON DATABASE henna TO tmall").await.unwrap_err().sqlstate, "42501");
        admin.run("GRANT CREATE ON DATABASE henna TO tmall").await;
        assert_eq!(tmall.value("SELECT has_database_privilege('henna', 'CREATE')").await, "t");
        // `$user` stands before public in the search path.
        tmall.run("CREATE SCHEMA AUTHORIZATION tmall; CREATE TABLE t (a int)").await;
        assert_eq!(tmall.value("SELECT schemaname FROM pg_tables WHERE tablename = 't'").await, "tmall");
        assert_eq!(tmall.value("SELECT current_schema()").await, "tmall");
        // A schema of somebody's name that another made is not in his path.
        tmall
            .run("CREATE SCHEMA wecom; CREATE TABLE wecom.orders (team text); GRANT USAGE ON SCHEMA wecom TO PUBLIC")
            .await;
        tmall.run("GRANT SELECT ON wecom.orders TO PUBLIC").await;
        assert_ne!(wecom.value("SELECT count(*) FROM orders").await, "0");
        assert_eq!(wecom.value("SELECT count(*) FROM wecom.orders").await, "0");
        // For nobody but oneself, or a role that one may become.
        assert_eq!(tmall.ask("CREATE SCHEMA theirs AUTHORIZATION wecom").await.unwrap_err().sqlstate, "42501");
        // Another's schema is as if it were not there.
        refused(wecom.ask("SELECT * FROM tmall.t").await, "42P01", "relation \"tmall.t\" does not exist");
        refused(wecom.ask("CREATE TABLE tmall.u (a int)").await, "3F000", "schema \"tmall\" does not exist");
        refused(wecom.ask("DROP SCHEMA tmall CASCADE").await, "3F000", "schema \"tmall\" does not exist");
        tmall.run("GRANT USAGE ON SCHEMA tmall TO wecom").await;
        refused(wecom.ask("CREATE TABLE tmall.u (a int)").await, "42501", "permission denied for schema tmall");
        refused(wecom.ask("DROP SCHEMA tmall CASCADE").await, "42501", "must be owner of schema tmall");
        admin.run("REVOKE CREATE ON DATABASE henna FROM tmall").await;
        assert_eq!(tmall.ask("CREATE SCHEMA more").await.unwrap_err().sqlstate, "42501");
    });
}
