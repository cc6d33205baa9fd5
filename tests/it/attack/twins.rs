//! Twins: table `t` of schema `walled` has hidden rows, table `t` of schema `bare` never had them. One session asks both, by
//! `search_path` alone, at each door; value, order, error text and SQLSTATE must be equal.

use super::super::support::{Door, House, Refusal, Rows, run};
use super::unordered;

/// Who asks. Two roles are granted to it.
pub const MOLE: &str = "mole";

/// One house with both twins, and a third: `fenced` has the policies of `walled` and no hidden row.
pub struct Twins {
    pub house: House,
}

impl Twins {
    /// Of a hundred rows `visible` may be seen; `rules`, which the superuser runs, say so of `walled.t` and `fenced.t`, both
    /// called `{t}`. Whatever is hidden springs the traps below.
    pub async fn new(visible: u32, rules: &[&str]) -> Self {
        let house = House::sales().await;
        let admin = house.wire("admin").await;
        admin.run("CREATE ROLE side_one; CREATE ROLE side_two; CREATE USER mole PASSWORD 'henna-demo' IN ROLE side_one, side_two").await;
        for schema in ["walled", "fenced", "bare"] {
            admin.run(&format!("CREATE SCHEMA {schema}; {}", columns(schema))).await;
            admin.run(&format!("CREATE TABLE {schema}.u (team text, side text); INSERT INTO {schema}.u VALUES ('a0', 'x'), ('a1', 'x'), ('a2', 'y')")).await;
            admin
                .run(&format!("GRANT USAGE ON SCHEMA {schema} TO mole; GRANT SELECT ON {schema}.t, {schema}.u TO mole"))
                .await;
        }
        admin.run(&rows(visible)).await;
        for twin in ["fenced", "bare"] {
            admin.run(&format!("INSERT INTO {twin}.t SELECT * FROM walled.t WHERE rank < {visible}")).await;
        }
        for guarded in ["walled.t", "fenced.t"] {
            admin.run(&format!("ALTER TABLE {guarded} ENABLE ROW LEVEL SECURITY")).await;
            for rule in rules {
                admin.run(&rule.replace("{t}", guarded)).await;
            }
        }
        Self { house }
    }

    /// Asks each door each question of both twins; what differs comes back, and how many were answered.
    pub async fn differences(&self, questions: &[String]) -> (Vec<String>, usize) {
        let (mut faults, mut answered) = (Vec::new(), 0);
        for mut door in self.house.doors(MOLE).await {
            for sql in questions {
                let walled = asked(&mut door, "walled", sql).await;
                let bare = asked(&mut door, "bare", sql).await;
                answered += usize::from(bare.is_ok());
                if walled != bare {
                    faults.push(format!("{}: {sql}\n  walled {walled:?}\n  bare   {bare:?}", door.name()));
                }
            }
        }
        (faults, answered)
    }
}

/// The answer of the twin in `schema`; rows that nobody asked to be sorted, sorted.
pub async fn asked(door: &mut Door, schema: &str, sql: &str) -> Result<Rows, Refusal> {
    door.run(&format!("SET search_path = {schema}")).await;
    let answer = door.ask(sql).await;
    if sql.contains("ORDER BY") { answer } else { unordered(answer) }
}

fn columns(schema: &str) -> String {
    format!(
        "CREATE TABLE {schema}.t (id integer NOT NULL, rank integer NOT NULL, team text, x integer, s text, \
         amount numeric(18, 2), f double precision, at timestamptz, tag text)"
    )
}

/// 400 rows. A visible one has an x of 1 to 4, an s that is a number and a team of a's; a hidden one an x of 5, an s that is
/// none, and no team or one of b's. Neighbours in the file are of both kinds.
fn rows(visible: u32) -> String {
    let shown = format!("n * 37 % 100 < {visible}");
    format!(
        "INSERT INTO walled.t SELECT n, n * 37 % 100, \
           CASE WHEN {shown} THEN 'a' || CAST(n % 3 AS text) WHEN n % 7 = 0 THEN NULL ELSE 'b' || CAST(n % 3 AS text) END, \
           CASE WHEN {shown} THEN n % 4 + 1 ELSE 5 END, \
           CASE WHEN {shown} THEN CAST(n AS text) ELSE 'SECRET-' || CAST(n AS text) END, \
           CASE WHEN {shown} THEN n % 50 + 0.25 ELSE 9000000 + n END, \
           CASE WHEN {shown} THEN n * 0.5 ELSE -1000000 END, \
           to_timestamp(1704038400 + n * 86400 + CASE WHEN {shown} THEN 0 ELSE 315360000 END), \
           'tag ' || CAST(n % 4 AS text) \
         FROM generate_series(1, 400) AS g (n)"
    )
}

/// What makes the rows of a policy visible: how many of a hundred, and the statements.
const POLICIES: &[(&str, u32, &[&str])] = &[
    ("5 percent", 5, &["CREATE POLICY p ON {t} FOR SELECT TO mole USING (rank < 5)"]),
    ("50 percent", 50, &["CREATE POLICY p ON {t} USING (rank < 50)"]),
    ("95 percent", 95, &["CREATE POLICY p ON {t} TO PUBLIC USING (rank < 95)"]),
    ("a pattern", 50, &["CREATE POLICY p ON {t} USING (team LIKE 'a%')"]),
    ("a sub-query", 50, &["CREATE POLICY p ON {t} USING (team IN (SELECT team FROM walled.u))"]),
    (
        "a sub-query of its row",
        50,
        &["CREATE POLICY p ON {t} USING (EXISTS (SELECT 1 FROM walled.u WHERE u.team = t.team))"],
    ),
    (
        "an attribute",
        50,
        &[
            "ALTER ROLE mole SET henna.first = 'a'",
            "CREATE POLICY p ON {t} USING (left(team, 1) = role_attribute('first'))",
        ],
    ),
    ("null", 50, &["CREATE POLICY p ON {t} USING (CASE WHEN rank < 50 THEN true END)"]),
    ("null for every row", 0, &["CREATE POLICY p ON {t} USING (NULL)"]),
    ("none", 0, &[]),
    ("none that permits", 0, &["CREATE POLICY p ON {t} AS RESTRICTIVE USING (true)"]),
    ("none of this command", 0, &["CREATE POLICY p ON {t} FOR INSERT WITH CHECK (true)"]),
    (
        "two roles",
        50,
        &[
            "CREATE POLICY p ON {t} TO side_one USING (rank < 20)",
            "CREATE POLICY q ON {t} TO side_two USING (rank BETWEEN 20 AND 49)",
        ],
    ),
    (
        "one that restricts",
        50,
        &[
            "CREATE POLICY p ON {t} USING (rank >= 0)",
            "CREATE POLICY q ON {t} AS RESTRICTIVE TO side_one USING (rank < 50)",
        ],
    ),
];

/// Fails on hidden rows alone.
pub const TRAPS: [&str; 3] = ["1 / (x - 5)", "CAST(s AS integer)", "CAST(replace(left(team, 1), 'a', '7') AS integer)"];

/// A statement has one trap, wherever an expression may stand.
pub const PLACES: &[&str] = &[
    "SELECT id FROM t WHERE {trap} < 400 ORDER BY id",
    "SELECT id FROM t WHERE x < 5 AND {trap} IS NOT NULL ORDER BY id",
    "SELECT id, {trap} AS told FROM t ORDER BY id",
    "SELECT id FROM t ORDER BY {trap}, id LIMIT 5",
    "SELECT count(*) FROM t JOIN (SELECT team AS a FROM u) AS v ON v.a = team AND {trap} IS NOT NULL",
    "SELECT sum(CASE WHEN amount > 0 THEN {trap} END) FROM t",
    "SELECT count(*) FILTER (WHERE {trap} > 0) FROM t",
    "SELECT id, sum({trap}) OVER (PARTITION BY tag ORDER BY id) AS told FROM t ORDER BY id",
    "SELECT {trap} AS told, count(*) FROM t GROUP BY 1 ORDER BY 1",
    "SELECT tag FROM t GROUP BY tag HAVING max({trap}) IS NOT NULL ORDER BY tag",
    "SELECT DISTINCT {trap} FROM t ORDER BY 1",
    "SELECT id FROM t WHERE id IN (SELECT {trap} FROM t) ORDER BY id",
    "SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.team = u.team AND {trap} IS NOT NULL)",
    "SELECT count(*) FROM u CROSS JOIN LATERAL (SELECT max({trap}) AS told FROM t WHERE t.team = u.team) AS l",
    "WITH told AS (SELECT {trap} AS n FROM t) SELECT count(*), max(n) FROM told",
    "SELECT {trap} FROM t UNION SELECT 0 ORDER BY 1",
    "SELECT id FROM t EXCEPT SELECT {trap} FROM t ORDER BY 1",
];

/// Counts, extremes, statistics, what a limit lets through, rows that sort alike.
const SHORTCUTS: &[&str] = &[
    "SELECT count(*), count(team), count(DISTINCT team), count(DISTINCT rank) FROM t",
    "SELECT min(id), max(id), min(rank), max(rank), min(s), max(s), min(amount), max(amount), min(at), max(at), min(f), max(f) FROM t",
    "SELECT sum(amount), avg(amount), sum(id), sum(x), sum(f) FROM t",
    "SELECT DISTINCT team FROM t ORDER BY team",
    "SELECT DISTINCT ON (tag) tag, id FROM t ORDER BY tag, id DESC",
    "SELECT count(*) FROM t WHERE team IS NULL",
    "SELECT count(*) FROM t WHERE team IN ('b0', 'b1', 'b2')",
    "SELECT count(*) FROM t WHERE s LIKE 'SECRET%'",
    "SELECT count(*) FROM t WHERE x = 5 OR at > TIMESTAMPTZ '2030-01-01'",
    "SELECT count(*) FROM t WHERE amount BETWEEN 9000000 AND 9000400",
    "SELECT count(*) FROM t WHERE id = 3",
    "SELECT count(*) FROM (SELECT 1 FROM t LIMIT 300) AS l",
    "SELECT count(*) FROM (SELECT 1 FROM t OFFSET 7) AS l",
    "SELECT count(*) FROM (SELECT 1 FROM t LIMIT 9 OFFSET 4) AS l",
    "SELECT count(DISTINCT left(team, 1)) FROM (SELECT team FROM t LIMIT 30) AS l",
    "SELECT id FROM t ORDER BY amount DESC, id LIMIT 4",
    "SELECT amount FROM t ORDER BY amount DESC LIMIT 4",
    "SELECT tag, amount FROM t ORDER BY tag, amount LIMIT 12",
    "SELECT count(*) FROM t AS a JOIN t AS b USING (id)",
    "SELECT count(*) FROM t AS a NATURAL JOIN t AS b",
    "SELECT count(*) FROM t AS a FULL JOIN t AS b ON a.id = b.id + 1 WHERE a.id IS NULL OR b.id IS NULL",
    "SELECT u.team, count(t.id) FROM u LEFT JOIN t ON t.team = u.team GROUP BY u.team ORDER BY u.team",
    "SELECT count(*) FROM u WHERE team NOT IN (SELECT team FROM t WHERE team IS NOT NULL)",
    "SELECT count(*) FROM u WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.team <> u.team)",
    "SELECT row_number() OVER (ORDER BY id) AS n, id FROM t ORDER BY n DESC LIMIT 2",
    "SELECT id, lag(s) OVER (ORDER BY id) AS before, rank() OVER (ORDER BY tag) AS r FROM t ORDER BY id",
    "SELECT string_agg(s, ',' ORDER BY id) FROM t",
    "SELECT median(amount), stddev(x) FROM t",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM t",
    "SELECT tag, count(*) FROM t GROUP BY ROLLUP (tag) ORDER BY tag NULLS LAST",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT count(*) FROM t WHERE id < 4)) SELECT max(n) FROM r",
    "SELECT id FROM t WHERE id > (SELECT avg(id) FROM t) ORDER BY id LIMIT 3",
    "SELECT tag FROM t INTERSECT SELECT tag FROM t WHERE x = 5",
    "SELECT tag FROM t WHERE x = 5 UNION ALL SELECT 'none'",
    "SELECT CAST(s || 'x' AS integer) FROM t WHERE id = (SELECT min(id) FROM t)",
    "SELECT 1 / (x - x) FROM t",
    "SELECT nothing FROM t",
    "SELECT id FROM t WHERE team = 5",
    "SELECT id FROM t FETCH FIRST 0 ROWS ONLY",
    "SELECT * FROM t ORDER BY id",
];

#[test]
fn every_policy_answers_as_if_the_hidden_rows_were_not_there() {
    let trapped = PLACES.iter().flat_map(|place| TRAPS.map(|trap| place.replace("{trap}", trap)));
    let questions: Vec<String> = trapped.chain(SHORTCUTS.iter().map(|sql| (*sql).to_owned())).collect();
    run(async {
        for (policy, visible, rules) in POLICIES {
            let twins = Twins::new(*visible, rules).await;
            let (faults, answered) = twins.differences(&questions).await;
            assert!(faults.is_empty(), "under {policy} {} answers tell:\n{}", faults.len(), faults.join("\n"));
            // Questions that no twin answers would prove nothing.
            assert!(answered > questions.len() * 3 / 2, "{policy}: {answered} of {}", questions.len() * 2);
        }
    });
}

#[test]
fn the_traps_do_spring_on_hidden_rows() {
    run(async {
        let twins = Twins::new(50, POLICIES[1].2).await;
        let admin = twins.house.wire("admin").await;
        assert_eq!(admin.value("SELECT count(*) FROM walled.t").await, "400");
        assert_eq!(admin.value("SELECT count(*) FROM bare.t").await, "200");
        for trap in TRAPS {
            assert!(admin.ask(&format!("SELECT max({trap}) FROM walled.t WHERE rank >= 50")).await.is_err(), "{trap}");
            assert!(admin.ask(&format!("SELECT max({trap}) FROM bare.t")).await.is_ok(), "{trap}");
        }
    });
}

/// All that differs between `walled` and `fenced` is what lies behind the wall.
#[test]
fn no_form_of_explain_knows_how_much_is_hidden() {
    let forms = [
        "EXPLAIN",
        "EXPLAIN VERBOSE",
        "EXPLAIN ANALYZE",
        "EXPLAIN ANALYZE VERBOSE",
        "EXPLAIN (ANALYZE, VERBOSE, COSTS, BUFFERS, FORMAT JSON)",
        "EXPLAIN (ANALYZE true, TIMING off, SUMMARY on, WAL, SETTINGS)",
        "EXPLAIN FORMAT TREE",
    ];
    let statements = [
        "SELECT * FROM t",
        "SELECT count(*) FROM t",
        "SELECT id FROM t WHERE x < 5 AND 1 / (x - 6) < 0",
        "SELECT tag, sum(amount) FROM t WHERE team LIKE 'a%' GROUP BY tag ORDER BY tag",
        "SELECT a.id FROM t AS a JOIN t AS b ON a.id = b.id JOIN u ON u.team = a.team ORDER BY a.id",
        "SELECT id FROM t WHERE team IN (SELECT team FROM u)",
        "SELECT id, row_number() OVER (PARTITION BY tag ORDER BY id) FROM t",
    ];
    run(async {
        for (policy, visible, rules) in [POLICIES[0], POLICIES[2], POLICIES[4]] {
            let twins = Twins::new(visible, rules).await;
            for mut door in twins.house.doors(MOLE).await {
                for (form, sql) in forms.iter().flat_map(|form| statements.iter().map(move |sql| (form, sql))) {
                    let sql = format!("{form} {sql}");
                    let walled = told(asked(&mut door, "walled", &sql).await.unwrap());
                    let fenced = told(asked(&mut door, "fenced", &sql).await.unwrap());
                    assert_eq!(walled, fenced.replace("fenced.", "walled."), "{policy}, {}: {sql}", door.name());
                    assert!(
                        !walled.contains("rank") || sql.contains("*"),
                        "{policy}: {sql} tells the policy:\n{walled}"
                    );
                }
            }
        }
    });
}

/// A scan that reads more files and batches than the visible rows would fill.
#[test]
fn explain_analyze_counts_neither_batches_nor_bytes_above_a_wall() {
    run(async {
        let twins = Twins::new(50, &[]).await;
        let admin = twins.house.wire("admin").await;
        admin
            .run("CREATE TABLE walled.big (id integer, team text); CREATE TABLE fenced.big (id integer, team text)")
            .await;
        admin.run("INSERT INTO walled.big SELECT n, CASE WHEN n % 20 = 0 THEN 'a0' ELSE 'b' END FROM generate_series(1, 60000) AS g (n)").await;
        admin.run("INSERT INTO fenced.big SELECT * FROM walled.big WHERE team = 'a0'").await;
        for table in ["walled.big", "fenced.big"] {
            admin.run(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; GRANT SELECT ON {table} TO mole")).await;
            admin.run(&format!("CREATE POLICY p ON {table} USING (team IN (SELECT team FROM walled.u))")).await;
        }
        for mut door in twins.house.doors(MOLE).await {
            for sql in ["SELECT id + 1 FROM big", "SELECT id FROM big WHERE id % 7 = 1", "SELECT count(*) FROM big"] {
                let sql = format!("EXPLAIN ANALYZE {sql}");
                let walled = told(asked(&mut door, "walled", &sql).await.unwrap());
                assert!(walled.contains("SecureScan: table=walled.big"), "{walled}");
                for measure in ["output_batches", "output_bytes", "spill"] {
                    assert!(!walled.contains(measure), "{}: {sql} tells {measure}:\n{walled}", door.name());
                }
                if !sql.contains("count") {
                    let fenced = told(asked(&mut door, "fenced", &sql).await.unwrap());
                    assert_eq!(walled, fenced.replace("fenced.", "walled."), "{}: {sql}", door.name());
                }
            }
        }
        // Whoever sees every row is told all of it.
        assert!(
            told(admin.ask("EXPLAIN ANALYZE SELECT id + 1 FROM walled.big").await.unwrap()).contains("output_batches")
        );
    });
}

/// The lines of a plan; times are the machine's.
fn told(rows: Rows) -> String {
    let mut text = String::new();
    for line in rows.into_iter().flatten().flatten() {
        let mut rest = line.as_str();
        while let Some(start) = rest.find("elapsed_compute=") {
            text.push_str(&rest[..start]);
            rest = rest[start..].trim_start_matches(|letter| !",]".contains(letter));
        }
        text.push_str(rest);
        text.push('\n');
    }
    text
}

/// Statements put together at random, so that what nobody thought of is asked too. HENNA_TEST_SEED repeats a run.
#[test]
fn random_questions_over_the_wire_and_in_process_tell_nothing() {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};

    let given = std::env::var("HENNA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or(20_240_501);
    println!("HENNA_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let columns = ["id", "rank", "team", "x", "s", "amount", "f", "at", "tag"];
    let condition = |dice: &mut StdRng| {
        let column = *columns.choose(dice).unwrap();
        let trap = *TRAPS.choose(dice).unwrap();
        match dice.random_range(0..9) {
            0 => format!("{column} IS NULL"),
            1 => format!("{column} IS NOT NULL"),
            2 => format!("x {} {}", ["<", ">=", "<>", "="].choose(dice).unwrap(), dice.random_range(0..7)),
            3 => format!("{trap} < {}", dice.random_range(-3..400)),
            4 => format!("team LIKE '{}%'", ["a", "b", "_1", ""].choose(dice).unwrap()),
            5 => format!("id IN (SELECT {trap} FROM t WHERE x > {})", dice.random_range(0..6)),
            6 => format!("(tag = 'tag 1' OR {trap} > 3)"),
            7 => format!("NOT (s < '{}')", dice.random_range(0..99)),
            _ => format!("CASE WHEN amount > {} THEN {trap} ELSE 1 END <> 2", dice.random_range(0..60)),
        }
    };
    let mut questions = Vec::new();
    for _ in 0..150 {
        let (first, second) = (condition(&mut dice), condition(&mut dice));
        let joined = *[" AND ", " OR "].choose(&mut dice).unwrap();
        let (trap, shape) = (*TRAPS.choose(&mut dice).unwrap(), dice.random_range(0..8));
        questions.push(match shape {
            0 => format!("SELECT id FROM t WHERE {first}{joined}{second} ORDER BY id"),
            1 => format!("SELECT tag, count(*), max({trap}) FROM t WHERE {first} GROUP BY tag HAVING count(*) > 1 ORDER BY tag"),
            2 => format!("SELECT id, {trap} FROM t WHERE {first}{joined}{second} ORDER BY 2, id LIMIT {}", dice.random_range(0..9)),
            3 => format!("SELECT count(*) FROM t LEFT JOIN (SELECT team AS a FROM u) AS v ON v.a = team AND {first} WHERE {second}"),
            4 => format!("SELECT count(*) FROM u WHERE EXISTS (SELECT 1 FROM t WHERE {first}{joined}{second})"),
            5 => format!("SELECT id FROM t WHERE {first} EXCEPT SELECT {trap} FROM t WHERE {second} ORDER BY 1"),
            6 => format!("SELECT max(n) FROM (SELECT sum({trap}) OVER (PARTITION BY tag ORDER BY id) AS n FROM t WHERE {first}) AS w"),
            _ => format!("SELECT count(*) FILTER (WHERE {first}), min(s), max(s) FROM t WHERE {second}"),
        });
    }
    run(async {
        for (policy, visible, rules) in [POLICIES[1], POLICIES[3], POLICIES[4]] {
            let (faults, answered) = Twins::new(visible, rules).await.differences(&questions).await;
            println!("{policy}: {answered} of {} answered", questions.len() * 2);
            assert!(faults.is_empty(), "under {policy} {} answers tell:\n{}", faults.len(), faults.join("\n"));
            assert!(answered > questions.len(), "{policy}: {answered}");
        }
    });
}
