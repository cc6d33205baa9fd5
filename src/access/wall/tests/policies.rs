//! PostgreSQL's rules for policies, as a session meets them.

use super::world::World;

const BASE: [&str; 4] = [
    "CREATE ROLE team_a",
    "CREATE USER anna IN ROLE team_a",
    "GRANT SELECT ON t, u, w TO team_a, anna",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
];

const IDS: &str = "SELECT id FROM t ORDER BY id";

async fn ids(statements: &[&str]) -> Vec<String> {
    let all: Vec<&str> = BASE.iter().chain(statements).copied().collect();
    World::new(&all).await.session("anna").lines(IDS).await
}

#[tokio::test]
async fn without_a_policy_no_row_is_visible() {
    assert!(ids(&[]).await.is_empty());
    assert!(ids(&["CREATE POLICY p ON t FOR INSERT WITH CHECK (true)"]).await.is_empty());
    assert!(ids(&["CREATE POLICY p ON t"]).await.is_empty());
    assert!(ids(&["CREATE POLICY p ON t AS RESTRICTIVE USING (true)"]).await.is_empty());
}

#[tokio::test]
async fn null_counts_as_false() {
    assert!(ids(&["CREATE POLICY p ON t USING (NULL)"]).await.is_empty());
    assert_eq!(ids(&["CREATE POLICY p ON t USING (team <> 'a')"]).await, ["3", "6"]);
}

#[tokio::test]
async fn permissive_policies_add_up_and_restrictive_ones_narrow() {
    let two = ["CREATE POLICY p ON t USING (team = 'a')", "CREATE POLICY q ON t USING (id = 3)"];
    assert_eq!(ids(&two).await, ["1", "2", "3", "4"]);
    let three = [two[0], two[1], "CREATE POLICY r ON t AS RESTRICTIVE USING (x > 1)"];
    assert_eq!(ids(&three).await, ["2", "3", "4"]);
}

#[tokio::test]
async fn policies_apply_through_inherited_roles_only() {
    assert_eq!(ids(&["CREATE POLICY p ON t TO team_a USING (id = 1)"]).await, ["1"]);
    let without = ["CREATE POLICY p ON t TO team_a USING (id = 1)", "GRANT team_a TO anna WITH INHERIT FALSE"];
    assert!(ids(&without).await.is_empty());
}

#[tokio::test]
async fn set_role_changes_what_the_same_session_sees() {
    let all: Vec<&str> = BASE.iter().copied().chain(["CREATE POLICY p ON t TO team_a USING (id = 1)"]).collect();
    let world = World::new(&all).await;
    world.admin("GRANT team_a TO anna WITH INHERIT FALSE").await;
    let anna = world.session("anna");
    let frame = anna.context.sql(IDS).await.unwrap();
    assert_eq!(frame.clone().count().await.unwrap(), 0);
    anna.principal.update(|principal| principal.set_role(&world.store.snapshot(), "team_a")).unwrap();
    assert_eq!(frame.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_planned_statement_follows_every_change() {
    let all: Vec<&str> = BASE.iter().copied().chain(["CREATE POLICY p ON t USING (true)"]).collect();
    let world = World::new(&all).await;
    let anna = world.session("anna");
    let planned = anna.context.sql("SELECT id FROM t WHERE x > 1 AND 10 / x > 0").await.unwrap();
    let optimized = planned.into_optimized_plan().unwrap();
    let run = || async { anna.context.execute_logical_plan(optimized.clone()).await?.count().await };
    assert_eq!(run().await.unwrap(), 5);
    world.admin("ALTER POLICY p ON t USING (id = 2)").await;
    assert_eq!(run().await.unwrap(), 1);
    world.admin("REVOKE SELECT ON t FROM anna").await;
    world.admin("REVOKE SELECT ON t FROM team_a").await;
    assert!(run().await.unwrap_err().find_root().to_string().contains("permission denied for table t"));
}

#[tokio::test]
async fn policies_know_who_asks() {
    let policy = "CREATE POLICY p ON t USING (id = CAST(role_attribute('id') AS bigint) AND current_user = 'anna' \
                  AND session_user = 'anna' AND pg_has_role('team_a', 'member') AND NOT pg_has_role('nobody', 'member') IS TRUE)";
    assert_eq!(ids(&[policy, "ALTER ROLE anna SET henna.id = '4'"]).await, ["4"]);
    assert!(ids(&[policy]).await.is_empty());
}

#[tokio::test]
async fn a_user_s_attribute_is_a_value_and_no_sql() {
    let world = [
        "CREATE POLICY p ON t USING (team = role_attribute('team'))",
        "ALTER ROLE anna SET henna.team = 'a'' OR ''1''=''1'",
    ];
    assert!(ids(&world).await.is_empty());
}

#[tokio::test]
async fn sub_queries_run_under_the_caller_s_policies() {
    let policy = "CREATE POLICY p ON t USING (id IN (SELECT id FROM w))";
    assert_eq!(ids(&[policy]).await.len(), 6);
    let secured = [policy, "ALTER TABLE w ENABLE ROW LEVEL SECURITY", "CREATE POLICY q ON w USING (team = 'a')"];
    assert_eq!(ids(&secured).await, ["1", "2", "4"]);
}

#[tokio::test]
async fn a_sub_query_s_table_without_grant_gives_the_one_error() {
    let all: Vec<&str> =
        BASE.iter().copied().chain(["CREATE POLICY p ON t USING (id IN (SELECT id FROM w))"]).collect();
    let world = World::new(&all).await;
    world.admin("REVOKE SELECT ON w FROM anna, team_a").await;
    let error = world.session("anna").ask(IDS).await.unwrap_err();
    assert!(error.ends_with("row policy of table t failed"), "{error}");
}

#[tokio::test]
async fn policies_that_read_each_other_are_an_error() {
    let all: Vec<&str> = BASE
        .iter()
        .copied()
        .chain([
            "ALTER TABLE w ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON t USING (id IN (SELECT id FROM w))",
            "CREATE POLICY q ON w USING (id IN (SELECT id FROM t))",
        ])
        .collect();
    let anna = World::new(&all).await.session("anna");
    let error = anna.ask(IDS).await.unwrap_err();
    assert!(error.contains("infinite recursion detected in policy for relation \"t\""), "{error}");
    assert!(anna.ask("SELECT count(*) FROM u").await.is_ok());
}

#[tokio::test]
async fn an_error_inside_of_a_policy_quotes_nothing() {
    let all: Vec<&str> = BASE.iter().copied().chain(["CREATE POLICY p ON t USING (CAST(s AS bigint) > 0)"]).collect();
    let error = World::new(&all).await.session("anna").ask(IDS).await.unwrap_err();
    assert!(error.ends_with("row policy of table t failed"), "{error}");
}

#[tokio::test]
async fn column_grants_cover_every_column_that_is_read() {
    let world = World::new(&["CREATE USER bob", "GRANT SELECT (id, x) ON t TO bob"]).await;
    let bob = world.session("bob");
    assert_eq!(bob.lines("SELECT id FROM t WHERE x = 7").await, ["4"]);
    assert_eq!(bob.lines("SELECT count(*) FROM t").await, ["6"]);
    for sql in [
        "SELECT * FROM t",
        "SELECT s FROM t",
        "SELECT id FROM t WHERE s = '10'",
        "SELECT id FROM t ORDER BY team",
        "SELECT a.id FROM t a JOIN u ON a.team = u.team",
        "SELECT count(DISTINCT team) FROM t",
    ] {
        let error = bob.ask(sql).await.unwrap_err();
        assert!(error.contains("permission denied for table"), "{sql}: {error}");
    }
    assert!(bob.ask("SELECT count(*) FROM w").await.unwrap_err().contains("permission denied for table w"));
}

#[tokio::test]
async fn owners_bypass_unless_forced_and_row_security_off_never_opens() {
    let world = World::new(&BASE).await;
    world.admin("ALTER TABLE t OWNER TO team_a").await;
    let anna = world.session("anna");
    assert_eq!(anna.lines("SELECT count(*) FROM t").await, ["6"]);
    world.admin("ALTER TABLE t FORCE ROW LEVEL SECURITY").await;
    assert_eq!(anna.lines("SELECT count(*) FROM t").await, ["0"]);
    let off = |principal: &mut crate::access::Principal| {
        principal.set_row_security(crate::access::RowSecuritySetting::Off);
        Ok(())
    };
    anna.principal.update(off).unwrap();
    let error = anna.ask(IDS).await.unwrap_err();
    assert!(error.contains("query would be affected by row-level security policy for table \"t\""), "{error}");
}

#[tokio::test]
async fn bypassrls_is_the_role_s_own_and_is_not_inherited() {
    let bypass = ["ALTER ROLE team_a BYPASSRLS"];
    assert!(ids(&bypass).await.is_empty());
    assert_eq!(ids(&["ALTER ROLE anna BYPASSRLS"]).await.len(), 6);
}

#[tokio::test]
async fn a_policy_for_a_role_that_needs_quotes_applies() {
    let world = World::new(&[
        "CREATE USER \"Anna O'Hara 门店\"",
        "GRANT SELECT ON t TO \"Anna O'Hara 门店\"",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t TO \"Anna O'Hara 门店\" USING (id = 1 AND current_user = 'Anna O''Hara 门店')",
    ])
    .await;
    assert_eq!(world.session("Anna O'Hara 门店").lines(IDS).await, ["1"]);
}
