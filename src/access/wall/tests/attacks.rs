//! Questions that would tell of hidden rows through a plain filter.

use datafusion::prelude::SessionConfig;

use super::world::{World, ask, copy};

/// Anna sees team a. Three shapes of the same rule: a comparison, a pattern, a sub-query.
const POLICIES: [&str; 4] =
    ["team = 'a'", "team LIKE 'a%'", "team IN (SELECT team FROM u)", "EXISTS (SELECT 1 FROM u WHERE u.team = t.team)"];

const QUESTIONS: [&str; 46] = [
    "SELECT id FROM t ORDER BY id",
    "SELECT * FROM t ORDER BY id",
    "SELECT id FROM t WHERE 1 / (x - 5) >= 0 ORDER BY id",
    "SELECT id FROM t WHERE x <> 5 AND 1 / (x - 5) >= 0 ORDER BY id",
    "SELECT team, 1 / (x - 5) AS r FROM t ORDER BY r",
    "SELECT 1 / (x - 5) AS r FROM t ORDER BY r LIMIT 1",
    "SELECT id FROM t ORDER BY 1 / (x - 5), id",
    "SELECT id FROM t WHERE CAST(s AS bigint) > 10 ORDER BY id",
    "SELECT sum(CAST(s AS bigint)) FROM t",
    "SELECT sum(CAST(k AS bigint)) FROM t",
    "SELECT CAST(k AS bigint) AS n FROM t ORDER BY n",
    "SELECT CASE WHEN x = 5 THEN 1 / 0 ELSE x END AS r FROM t ORDER BY r",
    "SELECT CASE WHEN s LIKE 'SECRET%' THEN CAST(s AS bigint) ELSE 0 END AS r FROM t ORDER BY r",
    "SELECT max(x) FILTER (WHERE 1 / (x - 5) >= 0) FROM t",
    "SELECT sum(1 / (x - 5)) OVER (ORDER BY id) AS r FROM t ORDER BY r",
    "SELECT 1 / (x - 5) AS r, count(*) FROM t GROUP BY 1 / (x - 5) ORDER BY r",
    "SELECT team, count(*) FROM t GROUP BY team HAVING min(1 / (x - 5)) <= 0",
    "SELECT a.id FROM t a JOIN u ON u.team = a.team AND 1 / (a.x - 5) <= 1 ORDER BY a.id",
    "SELECT a.id, b.id FROM t a JOIN t b ON a.x = b.x AND CAST(a.s AS bigint) = CAST(b.s AS bigint) ORDER BY a.id",
    "SELECT a.id FROM t a LEFT JOIN t b ON a.id < b.id AND 1 / (b.x - 5) < 2 WHERE b.id IS NULL ORDER BY a.id",
    "SELECT count(*) FROM u WHERE NOT EXISTS (SELECT 1 FROM t WHERE 1 / (x - 5) > 100)",
    "SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE CAST(s AS bigint) > 0) ORDER BY id",
    "WITH c AS (SELECT id, 1 / (x - 5) AS r FROM t) SELECT id FROM c WHERE r >= 0 ORDER BY id",
    "SELECT (SELECT max(CAST(s AS bigint)) FROM t)",
    "SELECT id FROM t UNION ALL SELECT CAST(s AS bigint) FROM t ORDER BY id",
    "SELECT id FROM t EXCEPT SELECT 1 / (x - 5) FROM t ORDER BY id",
    "SELECT count(*) FROM t",
    "SELECT count(1), count(team), count(DISTINCT team) FROM t",
    "SELECT min(id), max(id), min(s), max(s), min(k), max(k) FROM t",
    "SELECT count(*) FROM t WHERE team = 'b'",
    "SELECT count(*) FROM t WHERE team IS NULL",
    "SELECT count(*) FROM t WHERE s LIKE 'SECRET%'",
    "SELECT count(*) FROM t WHERE x = 5 OR x = 7",
    "SELECT count(*) FROM t WHERE k = 'SECRET-WORD-OF-NOBODY'",
    "SELECT count(*) FROM (SELECT * FROM t LIMIT 4)",
    "SELECT count(*) FROM (SELECT * FROM t OFFSET 2)",
    "SELECT DISTINCT team FROM t",
    "SELECT DISTINCT k FROM t ORDER BY k",
    "SELECT id FROM t ORDER BY x DESC LIMIT 1",
    "SELECT approx_distinct(s) FROM t",
    "SELECT string_agg(s, ',' ORDER BY id) FROM t",
    "SELECT 1 / (x - 7) FROM t WHERE id = 4",
    "SELECT id FROM t WHERE s ~ 'SECRET' OR 1 / (id - 3) > 5 ORDER BY id",
    "SELECT id FROM t WHERE COALESCE(NULLIF(x, 5) / (x - 5), 1) >= 0 ORDER BY id",
    "SELECT a.id FROM t a CROSS JOIN t b WHERE a.x + b.x = 10 AND 1 / (a.x - 5) >= 0 ORDER BY 1",
    "SELECT id FROM t WHERE x > (SELECT avg(x) FROM t) ORDER BY id",
];

fn configs() -> Vec<SessionConfig> {
    let base = || SessionConfig::new().with_target_partitions(2);
    vec![
        base().set_usize("datafusion.optimizer.max_passes", 0),
        base().set_bool("datafusion.optimizer.skip_failed_rules", true),
        base()
            .set_bool("datafusion.execution.parquet.pushdown_filters", true)
            .set_bool("datafusion.execution.parquet.reorder_filters", true)
            .with_batch_size(1),
        base().set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false).with_target_partitions(1),
    ]
}

async fn world(policy: &str) -> World {
    let create = format!("CREATE POLICY p ON t TO anna USING ({policy})");
    World::new(&[
        "CREATE USER anna",
        "GRANT SELECT ON t, u TO anna",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        create.as_str(),
    ])
    .await
}

#[tokio::test]
async fn every_answer_and_error_is_that_of_a_copy_without_the_hidden_rows() {
    for policy in POLICIES {
        compare(&world(policy).await, SessionConfig::new().with_target_partitions(2), &QUESTIONS).await;
    }
}

#[tokio::test]
async fn no_optimizer_setting_opens_the_wall() {
    let world = world(POLICIES[0]).await;
    for config in configs() {
        compare(&world, config, &QUESTIONS[..12]).await;
    }
}

async fn compare(world: &World, config: SessionConfig, questions: &[&str]) {
    let anna = world.session_with("anna", config.clone());
    let copy = copy(config, |row| row.2 == Some("a"));
    for question in questions {
        assert_eq!(anna.ask(question).await, ask(&copy, question).await, "{question}");
    }
}

#[tokio::test]
async fn the_same_questions_fail_over_all_rows() {
    // Else the comparison above would show nothing.
    let all = copy(SessionConfig::new(), |_| true);
    assert!(ask(&all, QUESTIONS[2]).await.unwrap_err().contains("Divide by zero"));
    assert!(ask(&all, QUESTIONS[7]).await.unwrap_err().contains("SECRET"));
    assert!(ask(&all, QUESTIONS[9]).await.unwrap_err().contains("SECRET"));
}

#[tokio::test]
async fn no_form_of_explain_tells_of_the_inside() {
    let world = world("team = 'a' AND x NOT IN (31337)").await;
    let anna = world.session("anna");
    for form in ["", "VERBOSE", "ANALYZE", "ANALYZE VERBOSE", "FORMAT TREE"] {
        let sql = format!("EXPLAIN {form} SELECT id FROM t WHERE x > 1 AND 1 / (x - 5) > 0 ORDER BY s LIMIT 3");
        let shown = anna.ask(&sql).await.unwrap();
        assert!(shown.contains("SecureScan"), "{shown}");
        for hidden in ["31337", "team", "MemTable", "DataSource"] {
            assert!(!shown.contains(hidden), "{form}: {hidden} in\n{shown}");
        }
        let scans: Vec<&str> = shown.lines().filter(|line| line.contains("SecureScan:")).collect();
        assert!(scans.iter().all(|line| !line.contains("xact(")), "{form}: {scans:?}");
    }
}

#[tokio::test]
async fn explain_analyze_counts_visible_rows_only() {
    let world = world("team = 'a'").await;
    let shown = world.session("anna").ask("EXPLAIN ANALYZE SELECT id FROM t").await.unwrap();
    let line = shown.lines().find(|line| line.contains("SecureScan")).unwrap().to_string();
    assert!(line.contains("metrics=[output_rows=3]"), "{line}");
}

#[tokio::test]
async fn explain_is_the_same_whatever_is_hidden() {
    let some = world("team = 'a'").await.session("anna");
    let none = world("false").await.session("anna");
    let sql = "EXPLAIN VERBOSE SELECT team, count(*) FROM t WHERE x > 1 GROUP BY team";
    assert_eq!(some.ask(sql).await.unwrap(), none.ask(sql).await.unwrap());
}

#[tokio::test]
async fn those_who_see_everything_get_the_raw_scan() {
    let world = world("true").await;
    for role in ["anna", "admin"] {
        let shown = world.session(role).ask("EXPLAIN SELECT id FROM t").await.unwrap();
        assert!(!shown.contains("SecureScan"), "{role}: {shown}");
    }
}

#[tokio::test]
async fn harmless_predicates_go_below_and_others_do_not() {
    let world = world("team = 'a'").await;
    let anna = world.session("anna");
    let shown = anna.ask("EXPLAIN SELECT id FROM t WHERE x > 1 AND 1 / (x - 5) > 0").await.unwrap();
    assert!(shown.contains("partial_filters=[t.x > Int64(1)]"), "{shown}");
}

#[tokio::test]
async fn a_top_n_over_an_expression_keeps_its_filter_above() {
    let world = world("team = 'a'").await;
    for question in [
        "SELECT id FROM t ORDER BY 100 / (x - 5) LIMIT 2",
        "SELECT id FROM t ORDER BY x LIMIT 2",
        "SELECT id, s FROM t ORDER BY s DESC LIMIT 1",
        "SELECT a.id FROM t a JOIN u ON a.team = u.team ORDER BY a.id LIMIT 2",
        "SELECT a.id FROM t a JOIN t b ON CAST(a.s AS bigint) = CAST(b.s AS bigint) ORDER BY 100 / (a.x - 5), a.id LIMIT 2",
    ] {
        let config = SessionConfig::new().with_target_partitions(2).with_batch_size(1);
        let copy = copy(config.clone(), |row| row.2 == Some("a"));
        assert_eq!(world.session_with("anna", config).ask(question).await, ask(&copy, question).await, "{question}");
    }
}

#[tokio::test]
async fn rows_are_not_changed_through_this_door() {
    let world = world("team = 'a'").await;
    let anna = world.session("anna");
    for sql in ["DELETE FROM t", "INSERT INTO t SELECT * FROM t", "UPDATE t SET x = 1"] {
        let refused = anna.ask(sql).await.unwrap_err();
        assert!(refused.contains("permission denied for table t"), "{sql}: {refused}");
    }
    let refused = world.session("admin").ask("DELETE FROM t").await.unwrap_err();
    assert!(refused.contains("cannot delete from table t"), "{refused}");
}
