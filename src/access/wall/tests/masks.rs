//! Masked columns: whatever reads them reads the mask.

use super::world::World;

async fn world(mask: &str) -> World {
    let label = format!("SECURITY LABEL FOR henna ON COLUMN t.s IS '{}'", mask.replace('\'', "''"));
    World::new(&[
        "CREATE ROLE hq",
        "CREATE USER boss IN ROLE hq",
        "CREATE USER anna",
        "GRANT SELECT ON t, u TO hq, anna",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t TO anna USING (team = 'a')",
        "CREATE POLICY q ON t TO hq USING (true)",
        label.as_str(),
    ])
    .await
}

const MASK: &str = "CASE WHEN pg_has_role('hq', 'member') OR x = 7 THEN s ELSE 'hidden' END";

#[tokio::test]
async fn filters_joins_groups_and_sorts_see_the_mask() {
    let anna = world(MASK).await.session("anna");
    assert_eq!(anna.lines("SELECT s FROM t ORDER BY id").await, ["hidden", "hidden", "30"]);
    assert_eq!(anna.lines("SELECT id FROM t WHERE s = '10'").await, Vec::<String>::new());
    assert_eq!(anna.lines("SELECT id FROM t WHERE s = 'hidden' ORDER BY id").await, ["1", "2"]);
    assert_eq!(anna.lines("SELECT id FROM t WHERE s LIKE '1%' OR x = 7").await, ["4"]);
    assert_eq!(anna.lines("SELECT count(*) FROM t GROUP BY s ORDER BY 1").await, ["1", "2"]);
    assert_eq!(anna.lines("SELECT id FROM t ORDER BY s DESC, id LIMIT 1").await, ["1"]);
    assert_eq!(anna.lines("SELECT count(*) FROM t a JOIN t b ON a.s = b.s").await, ["5"]);
    assert_eq!(anna.lines("SELECT min(s) FROM t").await, ["30"]);
    let error = anna.ask("SELECT CAST(s AS bigint) FROM t").await.unwrap_err();
    assert!(error.contains("'hidden'") && !error.contains("SECRET"), "{error}");
}

#[tokio::test]
async fn a_mask_that_shows_the_column_costs_nothing() {
    let boss = world(MASK).await.session("boss");
    let shown = boss.ask("EXPLAIN SELECT s FROM t").await.unwrap();
    assert!(!shown.contains("SecureScan"), "{shown}");
    assert_eq!(boss.lines("SELECT count(*) FROM t WHERE s LIKE 'SECRET%'").await, ["2"]);
}

#[tokio::test]
async fn a_mask_reads_visible_rows_only() {
    let anna = world("CAST(CAST(s AS bigint) + 1 AS text)").await.session("anna");
    assert_eq!(anna.lines("SELECT s FROM t ORDER BY id").await, ["11", "21", "31"]);
}

#[tokio::test]
async fn a_mask_may_hide_by_null() {
    let anna = world("CASE WHEN x = 7 THEN s END").await.session("anna");
    assert_eq!(anna.lines("SELECT count(s), count(*) FROM t").await, ["13"]);
    assert_eq!(anna.lines("SELECT id FROM t WHERE s IS NULL ORDER BY id").await, ["1", "2"]);
    assert_eq!(anna.lines("SELECT id FROM t WHERE s IS NOT NULL").await, ["4"]);
}

#[tokio::test]
async fn a_dictionary_under_a_mask_forgets_what_it_masks() {
    let world = world(MASK).await;
    world.admin("SECURITY LABEL FOR henna ON COLUMN t.k IS 'CASE WHEN x = 7 THEN k END'").await;
    let anna = world.session("anna");
    assert_eq!(anna.lines("SELECT sum(CAST(k AS bigint)) FROM t").await, ["30"]);
    assert_eq!(anna.lines("SELECT count(DISTINCT k) FROM t").await, ["1"]);
}

#[tokio::test]
async fn a_mask_that_comes_later_covers_a_stored_plan() {
    let world = World::new(&["CREATE USER anna", "GRANT SELECT ON t TO anna"]).await;
    let anna = world.session("anna");
    let plan = anna.context.sql("SELECT id FROM t WHERE s = '10'").await.unwrap().into_optimized_plan().unwrap();
    let run = || async { anna.context.execute_logical_plan(plan.clone()).await?.count().await };
    assert_eq!(run().await.unwrap(), 1);
    world.admin("SECURITY LABEL FOR henna ON COLUMN t.s IS '''hidden'''").await;
    assert_eq!(run().await.unwrap(), 0);
}

#[tokio::test]
async fn a_mask_may_look_into_other_tables() {
    let anna = world("CASE WHEN (SELECT count(*) FROM u WHERE u.team = t.team) > 0 THEN s ELSE 'no' END")
        .await
        .session("anna");
    assert_eq!(anna.lines("SELECT s FROM t ORDER BY id").await, ["10", "20", "30"]);
}
