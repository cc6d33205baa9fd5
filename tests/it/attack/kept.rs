//! Texts that a session has met before: whatever changes in between, the next answer is that of a session that has not.

use super::super::support::{House, InProcess, Refusal, Rows, Wire, run};

/// The values of the first column, or an error's code.
type Told = Result<Vec<String>, String>;

/// One text, asked again and again in each way that a session may keep it.
struct Repeated {
    sql: &'static str,
    wire: Wire,
    prepared: tokio_postgres::Statement,
    process: InProcess,
}

impl Repeated {
    async fn of(house: &House, user: &str, sql: &'static str) -> Self {
        let wire = house.wire(user).await;
        let prepared = wire.client.prepare(sql).await.unwrap();
        Self { sql, wire, prepared, process: house.in_process(user).await }
    }

    /// Does something in both of its sessions.
    async fn run(&mut self, sql: &str) {
        self.wire.run(sql).await;
        self.process.ask(sql).await.unwrap();
    }

    /// What each way tells, asked twice.
    async fn each(&mut self) -> Vec<(&'static str, Told)> {
        let mut each = Vec::new();
        for _ in 0..2 {
            each.push(("simple", texts(self.wire.ask(self.sql).await)));
            each.push(("extended", values(self.wire.client.query(self.sql, &[]).await)));
            each.push(("prepared", values(self.wire.client.query(&self.prepared, &[]).await)));
            each.push(("in process", texts(self.process.ask(self.sql).await)));
        }
        each
    }

    async fn tells(&mut self, expected: &[&str]) {
        let expected: Told = Ok(expected.iter().map(|text| (*text).to_owned()).collect());
        self.is(&expected).await;
    }

    async fn fails(&mut self, sqlstate: &str) {
        self.is(&Err(sqlstate.to_owned())).await;
    }

    async fn is(&mut self, expected: &Told) {
        for (way, told) in self.each().await {
            assert_eq!(told, *expected, "{way}: {}", self.sql);
        }
    }
}

fn texts(rows: Result<Rows, Refusal>) -> Told {
    let first = |mut row: Vec<Option<String>>| row.swap_remove(0).unwrap_or_default();
    Ok(rows.map_err(|refusal| refusal.sqlstate)?.into_iter().map(first).collect())
}

fn values(rows: Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>) -> Told {
    let first = |row: tokio_postgres::Row| row.get::<_, Option<String>>(0).unwrap_or_default();
    Ok(rows.map_err(|error| Refusal::of(error).sqlstate)?.into_iter().map(first).collect())
}

#[test]
fn a_text_that_is_met_again_follows_every_change_of_rights() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        let mut teams = Repeated::of(&house, "wecom", "SELECT DISTINCT team FROM orders ORDER BY team").await;
        let mut cities = Repeated::of(&house, "wecom", "SELECT min(city) FROM orders").await;
        teams.tells(&["wecom"]).await;
        cities.each().await;
        admin.run("ALTER POLICY orders_wecom ON orders USING (team = 'jd')").await;
        teams.tells(&["jd"]).await;
        admin.run("SECURITY LABEL FOR henna ON COLUMN orders.city IS '''masked'''").await;
        cities.tells(&["masked"]).await;
        admin.run("ALTER POLICY orders_wecom ON orders USING (false)").await;
        teams.tells(&[]).await;
        admin.run("ALTER POLICY orders_wecom ON orders USING (team = 'wecom')").await;
        teams.tells(&["wecom"]).await;
        teams.run("SET row_security = off").await;
        teams.fails("42501").await;
        teams.run("SET row_security = on").await;
        teams.tells(&["wecom"]).await;
        admin.run("REVOKE SELECT ON orders FROM wecom_team").await;
        teams.fails("42P01").await;
        admin.run("GRANT SELECT (order_id, team) ON orders TO wecom_team").await;
        teams.tells(&["wecom"]).await;
        cities.fails("42501").await;
        admin.run("REVOKE wecom_team FROM wecom").await;
        teams.fails("42P01").await;
        admin.run("GRANT wecom_team TO wecom").await;
        teams.tells(&["wecom"]).await;
    });
}

#[test]
fn a_text_that_is_met_again_follows_every_change_of_role() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER two_hats PASSWORD 'henna-demo' IN ROLE tmall_team, douyin_team").await;
        let mut teams = Repeated::of(&house, "two_hats", "SELECT DISTINCT team FROM orders ORDER BY team").await;
        let mut user = Repeated::of(&house, "two_hats", "SELECT current_user::text").await;
        teams.tells(&["douyin", "tmall"]).await;
        for (change, seen) in [
            ("SET ROLE tmall_team", &["tmall"][..]),
            ("SET ROLE douyin_team", &["douyin"]),
            ("RESET ROLE", &["douyin", "tmall"]),
            ("BEGIN; SET LOCAL ROLE tmall_team", &["tmall"]),
            ("SAVEPOINT a; SET ROLE douyin_team", &["douyin"]),
            ("ROLLBACK TO a", &["tmall"]),
            ("ROLLBACK", &["douyin", "tmall"]),
            ("SET ROLE tmall_team", &["tmall"]),
            ("DISCARD PLANS", &["tmall"]),
        ] {
            teams.run(change).await;
            teams.tells(seen).await;
        }
        user.tells(&["two_hats"]).await;
        user.run("SET ROLE tmall_team").await;
        user.tells(&["tmall_team"]).await;
        let mut other =
            Repeated::of(&house, "admin", "SELECT DISTINCT team FROM orders WHERE team <> 'tmall' LIMIT 1").await;
        assert_ne!(other.each().await[0].1, Ok(Vec::new()));
        other.run("SET SESSION AUTHORIZATION tmall").await;
        other.tells(&[]).await;
    });
}

#[test]
fn a_text_that_is_met_again_follows_every_change_of_objects() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE SCHEMA one; CREATE TABLE one.t (a text); INSERT INTO one.t VALUES ('a'), ('x')").await;
        admin.run("CREATE SCHEMA two; CREATE TABLE two.t (a text); INSERT INTO two.t VALUES ('two')").await;
        admin.run("CREATE VIEW one.v AS SELECT a FROM one.t WHERE a < 'm'").await;
        admin.run("CREATE VIEW one.w WITH (security_invoker = off) AS SELECT a FROM one.t WHERE a < 'm'").await;
        let mut table = Repeated::of(&house, "admin", "SELECT a FROM one.t ORDER BY a").await;
        let mut view = Repeated::of(&house, "admin", "SELECT a FROM one.v").await;
        let mut walled = Repeated::of(&house, "admin", "SELECT a FROM one.w").await;
        table.tells(&["a", "x"]).await;
        admin.run("INSERT INTO one.t VALUES ('z')").await;
        table.tells(&["a", "x", "z"]).await;
        view.tells(&["a"]).await;
        walled.tells(&["a"]).await;
        admin.run("CREATE OR REPLACE VIEW one.v AS SELECT a FROM one.t WHERE a > 'y'").await;
        admin
            .run("CREATE OR REPLACE VIEW one.w WITH (security_invoker = off) AS SELECT a FROM one.t WHERE a > 'y'")
            .await;
        view.tells(&["z"]).await;
        walled.tells(&["z"]).await;
        admin.run("DROP VIEW one.v; DROP VIEW one.w; ALTER TABLE one.t RENAME TO u").await;
        table.fails("42P01").await;
        view.fails("42P01").await;
        admin.run("CREATE TABLE one.t (a text); INSERT INTO one.t VALUES ('new')").await;
        table.tells(&["new"]).await;
        admin.run("DROP TABLE one.t").await;
        table.fails("42P01").await;
        admin.run("CREATE TABLE one.t (a text)").await;
        table.tells(&[]).await;
        // A bare name means what the path says.
        admin.run("INSERT INTO one.t VALUES ('one')").await;
        let wire = house.wire("admin").await;
        wire.run("SET search_path = one").await;
        assert_eq!(texts(wire.ask("SELECT a FROM t").await), Ok(vec!["one".to_owned()]));
        wire.run("SET search_path = two").await;
        assert_eq!(texts(wire.ask("SELECT a FROM t").await), Ok(vec!["two".to_owned()]));
        wire.run("BEGIN; SET LOCAL search_path = one").await;
        assert_eq!(texts(wire.ask("SELECT a FROM t").await), Ok(vec!["one".to_owned()]));
        wire.run("ROLLBACK").await;
        assert_eq!(texts(wire.ask("SELECT a FROM t").await), Ok(vec!["two".to_owned()]));
        // Columns that are others now are told to who asks anew, and refused to who was told of the old ones.
        let columns = wire.client.prepare("SELECT * FROM one.t").await.unwrap();
        assert_eq!(texts(wire.ask("SELECT * FROM one.t").await), Ok(vec!["one".to_owned()]));
        admin.run("DROP TABLE one.t; CREATE TABLE one.t (n integer); INSERT INTO one.t VALUES (7)").await;
        assert_eq!(texts(wire.ask("SELECT * FROM one.t").await), Ok(vec!["7".to_owned()]));
        assert_eq!(Refusal::of(wire.client.query(&columns, &[]).await.unwrap_err()).sqlstate, "0A000");
    });
}

#[test]
fn a_text_that_is_met_again_follows_settings_the_clock_and_what_the_system_tells() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        let zoned = "SELECT '2026-01-01 00:00:00+00'::timestamptz::text";
        let mut zoned = Repeated::of(&house, "wecom", zoned).await;
        let mut as_of = Repeated::of(&house, "wecom", "SELECT as_of()::date::text").await;
        let mut named = Repeated::of(&house, "wecom", "SELECT current_setting('application_name')").await;
        zoned.run("SET timezone = 'UTC'").await;
        zoned.tells(&["2026-01-01 00:00:00+00"]).await;
        zoned.run("SET timezone = 'Asia/Shanghai'").await;
        zoned.tells(&["2026-01-01 08:00:00+08"]).await;
        zoned.run("BEGIN; SET LOCAL timezone = 'UTC'").await;
        zoned.tells(&["2026-01-01 00:00:00+00"]).await;
        zoned.run("ROLLBACK").await;
        zoned.tells(&["2026-01-01 08:00:00+08"]).await;
        as_of.run("SET henna.as_of = '2025-03-04'").await;
        as_of.tells(&["2025-03-04"]).await;
        as_of.run("SET henna.as_of = '2025-05-06'").await;
        as_of.tells(&["2025-05-06"]).await;
        named.run("SET application_name = 'a'").await;
        named.tells(&["a"]).await;
        named.run("SELECT set_config('application_name', 'b', false)").await;
        named.tells(&["b"]).await;
        // The clock is read by each run.
        let mut clock = Repeated::of(&house, "wecom", "SELECT now()::text").await;
        let mut told: Vec<Told> = clock.each().await.into_iter().map(|(_, told)| told).collect();
        let asked = told.len();
        told.dedup();
        assert_eq!(told.len(), asked, "{told:?}");
        let mut sessions = Repeated::of(&house, "admin", "SELECT count(*)::text FROM henna.activity").await;
        let before: usize = sessions.each().await[0].1.clone().unwrap()[0].parse().unwrap();
        let _another = house.wire("wecom").await;
        sessions.tells(&[(before + 1).to_string().as_str()]).await;
        // What the system tells is looked up by each run, in views, too.
        admin.run("CREATE SCHEMA seen; CREATE VIEW seen.v AS SELECT relname FROM pg_catalog.pg_class").await;
        for sql in [
            "SELECT count(*)::text FROM pg_class WHERE relname = 'made_later'",
            "SELECT count(*)::text FROM seen.v WHERE relname = 'made_later'",
            "SELECT count(*)::text FROM henna.tables WHERE table_name = 'made_later'",
            "SELECT count(*)::text FROM information_schema.tables WHERE table_name = 'made_later'",
        ] {
            let mut told = Repeated::of(&house, "admin", sql).await;
            told.tells(&["0"]).await;
            admin.run("CREATE TABLE seen.made_later (a text)").await;
            told.tells(&["1"]).await;
            admin.run("DROP TABLE seen.made_later").await;
            told.tells(&["0"]).await;
        }
    });
}

#[test]
fn a_text_that_is_met_again_sees_its_own_block_and_nothing_of_one_that_is_gone() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE SCHEMA own; CREATE TABLE own.t (a text); INSERT INTO own.t VALUES ('first')").await;
        admin.run("CREATE USER anna PASSWORD 'henna-demo'; GRANT USAGE ON SCHEMA own TO anna; GRANT SELECT ON own.t TO anna").await;
        let mut own = Repeated::of(&house, "admin", "SELECT a FROM own.t ORDER BY a").await;
        let mut others = Repeated::of(&house, "anna", "SELECT a FROM own.t ORDER BY a").await;
        own.tells(&["first"]).await;
        others.tells(&["first"]).await;
        own.wire.run("BEGIN; INSERT INTO own.t VALUES ('staged')").await;
        for _ in 0..2 {
            let staged = Ok(vec!["first".to_owned(), "staged".to_owned()]);
            assert_eq!(texts(own.wire.ask(own.sql).await), staged);
            assert_eq!(values(own.wire.client.query(&own.prepared, &[]).await), staged);
            others.tells(&["first"]).await;
        }
        own.wire.run("ROLLBACK").await;
        own.tells(&["first"]).await;
        // What a block did to rights is its own until COMMIT.
        own.wire.run("BEGIN; REVOKE SELECT ON own.t FROM anna").await;
        own.wire.run("SET LOCAL ROLE anna").await;
        own.wire.run("SAVEPOINT before").await;
        assert_eq!(texts(own.wire.ask(own.sql).await), Err("42P01".to_owned()));
        // A text that is known is no way around a transaction that has failed.
        assert_eq!(texts(own.wire.ask(own.sql).await), Err("25P02".to_owned()));
        assert_eq!(texts(own.wire.ask("SELECT 1").await), Err("25P02".to_owned()));
        others.tells(&["first"]).await;
        own.wire.run("ROLLBACK").await;
        own.tells(&["first"]).await;
        assert_eq!(texts(own.wire.ask("SELECT 1").await), Ok(vec!["1".to_owned()]));
        own.wire.run("BEGIN").await;
        assert_eq!(texts(own.wire.ask("SELECT 1 / 0").await), Err("22012".to_owned()));
        assert_eq!(texts(own.wire.ask("SELECT 1").await), Err("25P02".to_owned()));
        own.wire.run("ROLLBACK").await;
    });
}

#[test]
fn a_constant_that_is_met_again_is_the_same_and_told_in_the_types_of_each_way() {
    run(async {
        let house = House::shared().await;
        let wire = house.wire("wecom").await;
        let prepared = wire
            .client
            .prepare("SELECT 1 AS one, 'a' AS text, NULL AS nothing, true AS yes, 1.50 AS money")
            .await
            .unwrap();
        for _ in 0..3 {
            let told =
                wire.ask("SELECT 1 AS one, 'a' AS text, NULL AS nothing, true AS yes, 1.50 AS money").await.unwrap();
            let text = |cell: &str| Some(cell.to_owned());
            assert_eq!(told, [[text("1"), text("a"), None, text("t"), text("1.50")]]);
            let row = wire.client.query_one(&prepared, &[]).await.unwrap();
            assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1), row.get::<_, bool>(3)), (1, "a", true));
        }
    });
}
