//! Rights that change while sessions, prepared statements and transactions are open.

use super::super::support::{DEMO_PASSWORD, House, Wire, run};

const TEAMS: &str = "SELECT DISTINCT team FROM orders ORDER BY team";

/// The teams whose orders a client sees.
async fn teams(client: &Wire) -> Vec<String> {
    let rows = client.ask(TEAMS).await.unwrap();
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

/// Those that a prepared statement sees.
async fn prepared_teams(client: &Wire, statement: &tokio_postgres::Statement) -> Vec<String> {
    client.client.query(statement, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_prepared_statement_follows_alter_policy() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        let statement = client.client.prepare(TEAMS).await.unwrap();
        assert_eq!(prepared_teams(&client, &statement).await, ["wecom"]);
        admin.run("ALTER POLICY orders_wecom ON orders USING (team = 'jd')").await;
        assert_eq!(prepared_teams(&client, &statement).await, ["jd"]);
        admin.run("ALTER POLICY orders_wecom ON orders USING (false)").await;
        assert_eq!(prepared_teams(&client, &statement).await, Vec::<String>::new());
        admin.run("DROP POLICY orders_wecom ON orders").await;
        assert_eq!(prepared_teams(&client, &statement).await, Vec::<String>::new());
        admin.run("CREATE POLICY nulls ON orders FOR SELECT TO wecom_team USING (NULL)").await;
        assert_eq!(prepared_teams(&client, &statement).await, Vec::<String>::new());
        admin.run("CREATE POLICY again ON orders FOR SELECT TO wecom_team USING (team IN ('wecom', 'jd'))").await;
        assert_eq!(prepared_teams(&client, &statement).await, ["jd", "wecom"]);
        admin.run("CREATE POLICY tight ON orders AS RESTRICTIVE FOR SELECT TO wecom_team USING (team <> 'jd')").await;
        assert_eq!(prepared_teams(&client, &statement).await, ["wecom"]);
    });
}

#[test]
fn a_prepared_statement_follows_set_role() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER two_hats PASSWORD 'henna-demo' NOINHERIT").await;
        admin.run("GRANT tmall_team TO two_hats; GRANT douyin_team TO two_hats").await;
        let client = house.wire("two_hats").await;
        // NOINHERIT: nothing without SET ROLE.
        assert_eq!(client.ask(TEAMS).await.unwrap_err().sqlstate, "42P01");
        client.run("SET ROLE tmall_team").await;
        let statement = client.client.prepare(TEAMS).await.unwrap();
        assert_eq!(prepared_teams(&client, &statement).await, ["tmall"]);
        client.run("SET ROLE douyin_team").await;
        assert_eq!(prepared_teams(&client, &statement).await, ["douyin"]);
        client.run("RESET ROLE").await;
        assert!(client.client.query(&statement, &[]).await.is_err());
        client.run("BEGIN; SET LOCAL ROLE tmall_team").await;
        assert_eq!(teams(&client).await, ["tmall"]);
        client.run("ROLLBACK").await;
        assert!(client.ask(TEAMS).await.is_err());
        client.run("SET ROLE tmall_team; DISCARD ALL").await;
        assert!(client.ask(TEAMS).await.is_err());
    });
}

#[test]
fn a_revoke_takes_effect_in_an_open_session() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        let statement = client.client.prepare(TEAMS).await.unwrap();
        assert_eq!(prepared_teams(&client, &statement).await, ["wecom"]);
        admin.run("REVOKE wecom_team FROM wecom").await;
        assert!(client.client.query(&statement, &[]).await.is_err());
        let refusal = client.ask("SELECT count(*) FROM mart.rfm").await.unwrap_err();
        assert_eq!(refusal.sqlstate, "42P01", "{refusal}");
        admin.run("GRANT wecom_team TO wecom").await;
        assert_eq!(prepared_teams(&client, &statement).await, ["wecom"]);
        admin.run("REVOKE SELECT ON orders FROM wecom_team").await;
        assert!(client.client.query(&statement, &[]).await.is_err());
        // A view with the rights of its caller falls with its table.
        assert!(client.ask("SELECT count(*) FROM mart.rfm").await.is_err());
    });
}

#[test]
fn a_user_in_two_teams_sees_the_rows_of_both() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER both_teams PASSWORD 'henna-demo' IN ROLE tmall_team, douyin_team").await;
        let client = house.wire("both_teams").await;
        assert_eq!(teams(&client).await, ["douyin", "tmall"]);
        let both = client.value("SELECT count(*) FROM orders").await;
        let hq = house.wire("hq").await;
        assert_eq!(hq.value("SELECT count(*) FROM orders WHERE team IN ('tmall', 'douyin')").await, both);
    });
}

#[test]
fn start_up_options_give_no_other_role() {
    run(async {
        let house = House::shared().await;
        for options in [
            ("role", "hq"),
            ("role", "headquarters"),
            ("session_authorization", "hq"),
            ("datafusion.optimizer.max_passes", "0"),
            ("is_superuser", "on"),
            ("henna.store_id", "S001"),
        ] {
            match house.login("wecom", DEMO_PASSWORD, &[options]).await {
                Ok(client) => assert_eq!(teams(&client).await, ["wecom"], "{options:?}"),
                Err(refusal) => {
                    assert!(!["XX000", "-----"].contains(&refusal.sqlstate.as_str()), "{options:?}: {refusal}")
                }
            }
            match house.embedded("wecom", &[options]).await {
                Ok(mut session) => {
                    let rows = session.ask(TEAMS).await.unwrap();
                    assert_eq!(rows, [[Some("wecom".to_owned())]], "{options:?}");
                }
                Err(refusal) => assert_ne!(refusal.sqlstate, "XX000", "{options:?}: {refusal}"),
            }
        }
        let client = house.login("wecom", DEMO_PASSWORD, &[("statement_timeout", "7s")]).await.unwrap();
        assert_eq!(client.value("SHOW statement_timeout").await, "7s");
    });
}

#[test]
fn row_security_off_raises_and_never_opens() {
    run(async {
        let house = House::shared().await;
        let client = house.wire("wecom").await;
        client.run("SET row_security = off").await;
        assert_eq!(client.ask(TEAMS).await.unwrap_err().sqlstate, "42501");
        client.run("SET row_security = on").await;
        assert_eq!(teams(&client).await, ["wecom"]);
    });
}

#[test]
fn logins_that_fail_look_alike() {
    run(async {
        let house = House::shared().await;
        let wrong = house.login("wecom", "wrong", &[]).await.err().unwrap();
        let mut unknown = house.login("nobody", "wrong", &[]).await.err().unwrap();
        unknown.message = unknown.message.replace("nobody", "wecom");
        assert_eq!(wrong.sqlstate, "28P01");
        assert_eq!(wrong, unknown);
        // A group role may not log in.
        let mut group = house.login("headquarters", "henna-demo", &[]).await.err().unwrap();
        group.message = group.message.replace("headquarters", "wecom");
        assert_eq!(wrong, group);
    });
}

#[test]
fn rows_are_the_stores_and_the_guides_own() {
    run(async {
        let house = House::shared().await;
        let (store, guide, hq) = (house.wire("store001").await, house.wire("guide001").await, house.wire("hq").await);
        let by = |column: &str, value: &str| format!("SELECT count(*) FROM orders WHERE {column} = '{value}'");
        assert_eq!(store.value("SELECT count(*) FROM orders").await, hq.value(&by("store_id", "S001")).await);
        assert_eq!(store.value("SELECT count(*) FROM orders WHERE store_id <> 'S001'").await, "0");
        let hers = "one_id IN (SELECT one_id FROM customers WHERE owner_guide_id = 'G001')";
        let wanted = hq.value(&format!("SELECT count(*) FROM orders WHERE guide_id = 'G001' OR {hers}")).await;
        assert_eq!(guide.value("SELECT count(*) FROM orders").await, wanted);
        // A guide sees her customers' names, a store manager does not.
        assert_eq!(
            guide.value("SELECT count(*) - count(nickname) FROM customers").await,
            hq.value("SELECT count(*) - count(nickname) FROM customers WHERE owner_guide_id = 'G001'").await
        );
        assert_eq!(store.value("SELECT count(nickname) FROM customers").await, "0");
        // The attribute that an administrator pinned is not the session's to set.
        assert!(store.ask("SET henna.store_id = 'S002'").await.is_err());
    });
}

/// A member may act for its group, and take from it what it has; not what it must not see.
#[test]
fn nobody_sets_himself_free_of_a_restrictive_policy() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE ROLE tight; GRANT tight TO wecom").await;
        admin.run("CREATE POLICY tight ON orders AS RESTRICTIVE TO tight USING (channel = 'wecom')").await;
        for mut door in house.doors("wecom").await {
            let bound = door.value("SELECT count(*) FROM orders").await;
            assert_eq!(door.value("SELECT count(*) FROM orders WHERE channel <> 'wecom'").await, "0");
            for way_out in [
                "DROP OWNED BY tight",
                "DROP OWNED BY wecom, tight",
                "REASSIGN OWNED BY tight TO wecom",
                "REVOKE tight FROM wecom",
                "DROP ROLE tight",
                "ALTER ROLE tight RENAME TO loose",
                "DROP POLICY tight ON orders",
                "ALTER POLICY tight ON orders TO hq",
            ] {
                // Some of them do something, none of them this.
                let _ = door.ask(way_out).await;
                assert_eq!(door.value("SELECT count(*) FROM orders").await, bound, "{}: {way_out}", door.name());
            }
        }
    });
}

#[test]
fn policies_that_read_each_other_are_an_error() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("ALTER POLICY orders_wecom ON orders USING (one_id IN (SELECT one_id FROM customers))").await;
        let refusal = house.wire("wecom").await.ask(TEAMS).await.unwrap_err();
        assert!(refusal.message.contains("recursion"), "{refusal}");
    });
}

#[test]
fn a_role_may_log_in_until_it_ends_and_as_often_as_its_limit_says() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER till WITH PASSWORD 'henna-demo' CONNECTION LIMIT 2").await;
        admin.run("CREATE USER gone PASSWORD 'henna-demo' VALID UNTIL '2001-01-01'").await;
        admin.run("CREATE USER shut PASSWORD 'henna-demo' CONNECTION LIMIT 0").await;
        admin.run("CREATE USER boss PASSWORD 'henna-demo' SUPERUSER CONNECTION LIMIT 0").await;
        let wrong = house.login("till", "wrong", &[]).await.err().unwrap();
        let mut over = house.login("gone", DEMO_PASSWORD, &[]).await.err().unwrap();
        over.message = over.message.replace("gone", "till");
        assert_eq!(over, wrong);
        let (first, _second) = (house.wire("till").await, house.wire("till").await);
        let refusal = house.login("till", DEMO_PASSWORD, &[]).await.err().unwrap();
        assert_eq!(
            (refusal.sqlstate.as_str(), refusal.message.as_str()),
            ("53300", "too many connections for role \"till\"")
        );
        assert_eq!(house.login("shut", DEMO_PASSWORD, &[]).await.err().unwrap().sqlstate, "53300");
        // A superuser has no limit, and a place that is left is free again.
        assert_eq!(house.wire("boss").await.value("SELECT current_user").await, "boss");
        drop(first);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while house.login("till", DEMO_PASSWORD, &[]).await.is_err() {
            assert!(std::time::Instant::now() < deadline, "the place of a closed connection stays taken");
            tokio::task::yield_now().await;
        }
        admin.run("ALTER USER till PASSWORD 'another'").await;
        assert_eq!(house.login("till", DEMO_PASSWORD, &[]).await.err().unwrap().sqlstate, "28P01");
    });
}

#[test]
fn a_session_begins_with_the_settings_of_its_role_and_may_change_them() {
    run(async {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER till WITH PASSWORD 'henna-demo'").await;
        admin.run("ALTER ROLE till SET statement_timeout = '7s'").await;
        admin.run("ALTER ROLE till SET search_path TO mart, public").await;
        admin.run("ALTER ROLE till SET henna.store_id = 'S1'").await;
        let client = house.wire("till").await;
        assert_eq!(client.value("SHOW statement_timeout").await, "7s");
        assert_eq!(client.value("SHOW search_path").await, "mart, public");
        client.run("SET statement_timeout = '9s'").await;
        assert_eq!(client.value("SHOW statement_timeout").await, "9s");
        client.run("RESET statement_timeout").await;
        assert_eq!(client.value("SHOW statement_timeout").await, "7s");
        let own = house.login("till", DEMO_PASSWORD, &[("statement_timeout", "5s")]).await.unwrap();
        assert_eq!(own.value("SHOW statement_timeout").await, "5s");
        // An attribute of the user is not the session's to change.
        assert_eq!(client.ask("SET henna.store_id = 'S2'").await.unwrap_err().sqlstate, "42501");
    });
}

#[test]
fn savepoints_are_counted() {
    run(async {
        let client = House::shared().await.wire("wecom").await;
        client.run("BEGIN").await;
        for number in 0..1_000 {
            client.run(&format!("SAVEPOINT s{number}")).await;
        }
        assert_eq!(client.ask("SAVEPOINT one_more").await.unwrap_err().sqlstate, "54000");
        client.run("ROLLBACK TO s0").await;
        client.run("SAVEPOINT one_more; ROLLBACK").await;
    });
}

/// A cursor reads as who opened it, when it was opened, as in PostgreSQL; whatever is asked after is asked anew.
#[test]
fn a_cursor_stays_with_the_rights_it_was_opened_with_and_lends_them_to_nothing() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE USER two_hats PASSWORD 'henna-demo' NOINHERIT IN ROLE tmall_team, douyin_team").await;
        for mut door in house.doors("two_hats").await {
            door.run("SET ROLE tmall_team; DECLARE c CURSOR WITH HOLD FOR SELECT team FROM orders").await;
            door.run("SET ROLE douyin_team").await;
            assert_eq!(door.value("FETCH 1 FROM c").await, "tmall", "{}", door.name());
            assert_eq!(door.value("SELECT min(team) FROM orders").await, "douyin");
            door.run("CLOSE c; DECLARE c CURSOR WITH HOLD FOR SELECT team FROM orders; RESET ROLE").await;
            assert_eq!(door.value("FETCH 1 FROM c").await, "douyin");
            assert_eq!(
                door.ask("DECLARE d CURSOR WITH HOLD FOR SELECT team FROM orders").await.unwrap_err().sqlstate,
                "42P01"
            );
            // Nor is it opened again with them.
            door.run("CLOSE c").await;
            assert_eq!(door.ask("FETCH 1 FROM c").await.unwrap_err().sqlstate, "34000");
        }
        let client = house.wire("wecom").await;
        client.run("DECLARE c CURSOR WITH HOLD FOR SELECT team FROM orders ORDER BY order_id").await;
        admin.run("REVOKE wecom_team FROM wecom").await;
        assert_eq!(client.value("FETCH 1 FROM c").await, "wecom");
        assert!(client.ask("SELECT team FROM orders").await.is_err());
        client.run("DISCARD ALL").await;
        assert_eq!(client.ask("FETCH 1 FROM c").await.unwrap_err().sqlstate, "34000");
    });
}

/// Names that break quoting, matching or the words that stand for no role.
#[test]
fn a_role_of_an_odd_name_gets_its_own_rows_and_no_others() {
    run(async {
        let house = House::copy().await;
        let admin = house.wire("admin").await;
        for (number, name) in [
            "o'hara",
            "two \"hats\"",
            "门店 001",
            "UPPER",
            "tmall_team ",
            "x' OR '1'='1",
            "none; DROP ROLE hq",
            "{tmall_team}",
            "%",
            "null",
            "current_user",
            &"n".repeat(200),
        ]
        .iter()
        .enumerate()
        {
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            admin
                .run(&format!("CREATE USER {quoted} PASSWORD 'henna-demo'; GRANT USAGE ON SCHEMA public TO {quoted}"))
                .await;
            admin.run(&format!("GRANT SELECT ON orders TO {quoted}; CREATE POLICY odd_{number} ON orders TO {quoted} USING (team = 'jd' AND current_user = '{}')", name.replace('\'', "''"))).await;
            for mut door in house.doors(name).await {
                assert_eq!(door.value("SELECT current_user").await, *name);
                let teams = door.ask(TEAMS).await.unwrap();
                assert_eq!(teams, [[Some("jd".to_owned())]], "{}: {name}", door.name());
                assert_eq!(door.value(&format!("SELECT count(*) FROM pg_policies WHERE policyname = 'odd_{number}' AND array_to_string(roles, ',') = '{}'", name.replace('\'', "''"))).await, "1", "{name}");
                assert!(door.ask("SET ROLE tmall_team").await.is_err());
                door.run("SET ROLE none; RESET ROLE").await;
            }
            admin.run(&format!("DROP POLICY odd_{number} ON orders; REVOKE ALL ON orders FROM {quoted}; REVOKE ALL ON SCHEMA public FROM {quoted}; DROP ROLE {quoted}")).await;
        }
        for reserved in ["public", "none", "pg_read_all_data", "pg_x"] {
            let refusal = admin.ask(&format!("CREATE ROLE \"{reserved}\"")).await.unwrap_err();
            assert_eq!(refusal.sqlstate, "42939", "{reserved}: {refusal}");
        }
    });
}
