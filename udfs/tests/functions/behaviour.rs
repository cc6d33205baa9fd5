//! Funnels, sequences, retention, sessions and paths.

use std::fmt::Write;

use datafusion::prelude::SessionContext;

use super::rfm::register_online_retail;
use super::support::{csv, refusal, rows, session, test_data, value};

/// The table `events(person, ts, conditions)`, sorted as the file is.
async fn register_events(session: &SessionContext, lines: impl IntoIterator<Item = (String, String, String)>) {
    let mut values = String::new();
    for (person, t, conditions) in lines {
        write!(values, "({person}, to_timestamp({t}), {conditions}),").unwrap();
    }
    let sql = format!(
        "CREATE TABLE events AS SELECT * FROM (VALUES {}) AS t(person, ts, conditions)",
        values.trim_end_matches(',')
    );
    session.sql(&sql).await.unwrap().collect().await.unwrap();
}

/// The call for a column `kind:argument` of the answers; conditions are the bits of the event.
fn call(kind: &str, argument: &str, window: u32) -> String {
    let conditions: Vec<String> = (0..4).map(|bit| format!("(conditions >> {bit}) % 2 = 1")).collect();
    let conditions = conditions.join(", ");
    match kind {
        "funnel" => format!("window_funnel({window}, '{argument}', ts, {conditions})"),
        "times" => format!("funnel_step_times({window}, '{argument}', ts, {conditions})"),
        "match" => format!("CAST(sequence_match('{argument}', ts, {conditions}) AS INT)"),
        "count" => format!("sequence_count('{argument}', ts, {conditions})"),
        "retention" => format!("array_to_string(retention({conditions}), '')"),
        other => panic!("{other} is no question"),
    }
}

fn made_by_clickhouse(file: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/clickhouse/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test]
async fn random_persons_are_answered_as_by_clickhouse() {
    let session = session();
    let mut events = csv(&made_by_clickhouse("events.csv"));
    // The order of rows does not matter.
    events.reverse();
    register_events(&session, events.into_iter().map(|line| (line[0].clone(), line[1].clone(), line[2].clone()))).await;
    let text = made_by_clickhouse("answers.csv");
    let questions: Vec<(&str, &str)> =
        text.lines().next().unwrap().split(';').skip(1).map(|name| name.split_once(':').unwrap()).collect();
    let answers: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(';').collect()).collect();
    assert_eq!(answers.len(), 400);
    for (column, (kind, argument)) in questions.into_iter().enumerate() {
        let sql = format!("SELECT person, {} FROM events GROUP BY person ORDER BY person", call(kind, argument, 5));
        let found = rows(&session, &sql).await;
        for (found, expected) in found.iter().zip(&answers) {
            assert_eq!(found[1], expected[column + 1], "{kind} {argument} of person {}", expected[0]);
        }
        if kind == "funnel" {
            let times = sql.replace(
                &call("funnel", argument, 5),
                &format!("coalesce(cardinality({}), 0)", call("times", argument, 5)),
            );
            assert_eq!(found, rows(&session, &times).await, "the times of {argument}");
        }
    }
}

/// The events A, B, C, D are conditions 1 to 4, X is none.
#[tokio::test]
async fn the_probes_of_clickhouse_are_answered_alike() {
    let files = ["probe_events.csv", "probe_window_funnel.csv", "probe_sequence.csv", "probe_retention.csv"];
    let [Some(events), Some(funnels), Some(sequences), Some(retentions)] =
        files.map(|file| test_data(&format!("clickhouse/{file}")))
    else {
        return;
    };
    let read = |path| std::fs::read_to_string(path).unwrap();
    let session = session();
    let bit = |event: &str| match "ABCD".find(event) {
        Some(place) => (1 << place).to_string(),
        None => "0".to_owned(),
    };
    register_events(
        &session,
        csv(&read(events)).into_iter().map(|line| (line[0].clone(), line[1].clone(), bit(&line[2]))),
    )
    .await;
    let modes = [
        "default",
        "strict_order",
        "strict_deduplication",
        "strict_increase",
        "strict_once",
        "strict_order,strict_deduplication,strict_increase,strict_once",
    ];
    for line in csv(&read(funnels)) {
        for (mode, expected) in modes.iter().zip(&line[1..]) {
            let sql = format!("SELECT {} FROM events WHERE person = {}", call("funnel", mode, 600), line[0]);
            assert_eq!(value(&session, &sql).await, *expected, "{mode} of {}", line[0]);
        }
    }
    for line in csv(&read(sequences)) {
        let pattern = line[1].trim_matches('"');
        for (kind, expected) in ["match", "count"].iter().zip(&line[2..]) {
            let sql = format!("SELECT {} FROM events WHERE person = {}", call(kind, pattern, 0), line[0]);
            assert_eq!(value(&session, &sql).await, *expected, "{kind} {pattern} of {}", line[0]);
        }
    }
    for line in csv(&read(retentions)) {
        let expected = line[1..].join("").replace(['"', '[', ']'], "");
        let sql = format!("SELECT {} FROM events WHERE person = {}", call("retention", "", 0), line[0]);
        assert_eq!(value(&session, &sql).await, expected, "{}", line[0]);
    }
}

const VISITS: &str = "(VALUES (TIMESTAMP '2024-01-01 10:00:00', 'a'), (TIMESTAMP '2024-01-01 10:20:00', 'b'), (TIMESTAMP '2024-01-01 10:20:00', 'b'),
    (TIMESTAMP '2024-01-01 10:50:00', 'a'), (TIMESTAMP '2024-01-01 11:20:00', 'c'), (TIMESTAMP '2024-01-02 00:00:00', 'd')) AS t(ts, event)";

#[tokio::test]
async fn step_times_are_those_of_the_latest_beginning() {
    let sql = |window: &str, mode: &str| {
        format!("SELECT funnel_step_times({window}, '{mode}', ts, event = 'a', event = 'c', event = 'd') FROM {VISITS}")
    };
    assert_eq!(
        value(&session(), &sql("INTERVAL '1 hour'", "default")).await,
        "[2024-01-01T10:50:00, 2024-01-01T11:20:00]"
    );
    assert_eq!(value(&session(), &sql("INTERVAL '29 minutes'", "default")).await, "[2024-01-01T10:50:00]");
    assert_eq!(
        value(&session(), &sql("86400", "default")).await,
        "[2024-01-01T10:50:00, 2024-01-01T11:20:00, 2024-01-02T00:00:00]"
    );
    let none = "SELECT funnel_step_times(1, 'default', ts, event = 'z', event = 'a') IS NULL FROM ".to_owned() + VISITS;
    assert_eq!(value(&session(), &none).await, "true");
    // The zone of ts is kept.
    let zoned = "SELECT arrow_typeof(funnel_step_times(1, 'default', arrow_cast(ts, 'Timestamp(Second, Some(\"Asia/Shanghai\"))'), true)) FROM ".to_owned() + VISITS;
    assert!(value(&session(), &zoned).await.contains("Asia/Shanghai"));
}

#[tokio::test]
async fn rows_with_null_are_left_out_and_no_row_is_no_step() {
    let of = |select: &str| {
        format!(
            "SELECT {select} FROM (VALUES (TIMESTAMP '2024-01-01 00:00:00', NULL::boolean, true), (NULL, true, true)) AS t(ts, one, two)"
        )
    };
    assert_eq!(value(&session(), &of("window_funnel(5, 'default', ts, one, two)")).await, "0");
    assert_eq!(value(&session(), &of("sequence_match('(?2)', ts, one, two)")).await, "false");
    assert_eq!(value(&session(), &of("sequence_count('(?2)', ts, one, two)")).await, "0");
    assert_eq!(value(&session(), &of("retention(one, two) FILTER (WHERE ts IS NOT NULL)")).await, "[0, 0]");
    assert_eq!(value(&session(), &of("path_flows(ts, 'a', NULL, 3, false) IS NULL")).await, "true");
}

#[tokio::test]
async fn a_session_ends_after_the_gap() {
    let sql = |ts: &str, gap: &str| {
        format!("SELECT {ts}, sessionize({ts}, {gap}) OVER (ORDER BY event DESC) AS s FROM {VISITS} ORDER BY 1, 2")
    };
    let sessions = |rows: Vec<Vec<String>>| rows.into_iter().map(|row| row[1].clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(sessions(rows(&session(), &sql("ts", "INTERVAL '30 minutes'")).await), "1 1 1 1 1 2");
    assert_eq!(sessions(rows(&session(), &sql("ts", "INTERVAL '29 minutes'")).await), "1 1 1 2 3 4");
    assert_eq!(sessions(rows(&session(), &sql("ts::date", "1")).await), "1 1 1 1 1 1");
    assert_eq!(
        sessions(rows(&session(), &sql("NULLIF(ts, TIMESTAMP '2024-01-02 00:00:00')", "INTERVAL '1 day'")).await),
        "1 1 1 1 1 NULL"
    );
}

#[tokio::test]
async fn paths_go_on_from_the_first_start_and_back_from_the_last() {
    let sql = |rest: &str| {
        format!(
            "SELECT f['step'], f['source'], f['target'] FROM (SELECT unnest(path_flows(ts, event, {rest})) AS f FROM {VISITS})"
        )
    };
    let flows = |rows: Vec<Vec<String>>| rows.into_iter().map(|row| row.join("")).collect::<Vec<_>>().join(" ");
    assert_eq!(flows(rows(&session(), &sql("'b', 2, false")).await), "1ba 2ac");
    assert_eq!(flows(rows(&session(), &sql("'a', 9, false")).await), "1ab 2ba 3ac 4cd");
    assert_eq!(flows(rows(&session(), &sql("'a', 9, true")).await), "1ba 2ab");
    assert_eq!(flows(rows(&session(), &sql("NULL, 1, true")).await), "1cd");
    assert_eq!(flows(rows(&session(), &sql("'d', 9, false")).await), "");
}

#[tokio::test]
async fn wrong_constants_are_refused() {
    for (call, message) in [
        ("window_funnel(-1, 'default', ts, true)", "window_funnel: window must be 0 or more, got \"-1"),
        ("window_funnel(NULL, 'default', ts, true)", "window_funnel: window must be 0 or more, got NULL"),
        ("window_funnel(1, 'strict', ts, true)", "window_funnel: mode must be 'default' or some of 'strict_order'"),
        (
            "window_funnel(INTERVAL '1 month', 'default', ts, true)",
            "window_funnel: window must be given in days or shorter units",
        ),
        (
            "window_funnel('1', 'default', ts, true)",
            "window_funnel: window must be an interval or a number of seconds, got Utf8",
        ),
        ("window_funnel(1, 'default', ts)", "window_funnel: 1 to 32 conditions are needed, got 0"),
        ("window_funnel(1, 'default', ts, 5)", "window_funnel: a condition must be true or false, got Int64"),
        ("window_funnel(1, 'default', 5, true)", "window_funnel: ts must be a date or timestamp, got Int64"),
        ("window_funnel(1, event, ts, true)", "window_funnel: mode must be a constant"),
        ("funnel_step_times(1, NULL, ts, true)", "funnel_step_times: mode must be 'default'"),
        ("sequence_match('(?2)', ts, true)", "sequence_match: pattern \"(?2)\" names condition 2, there are 1"),
        ("sequence_match('(?0)', ts, true)", "sequence_match: pattern must be made of (?1), (?t<=60), . and .*"),
        ("sequence_match('(?1) (?1)', ts, true)", "with \" (?1)\" at its end"),
        ("sequence_match('(?t>1)(?1)', ts, true)", "sequence_match: a time must follow an event in the pattern"),
        ("sequence_match('', ts, true)", "sequence_match: pattern must not be empty"),
        ("sequence_count(NULL, ts, true)", "sequence_count: pattern must be a text, got NULL"),
        ("retention(1)", "retention: a condition must be true or false, got Int64"),
        ("sessionize(ts, -1) OVER ()", "sessionize: gap must be 0 or more, got \"-1"),
        ("sessionize(ts, NULL) OVER ()", "sessionize: gap must be 0 or more, got NULL"),
        ("path_flows(ts, event, 'a', 0, false)", "path_flows: depth must be 1 to 100, got \"0\""),
        ("path_flows(ts, event, 'a', 3, NULL)", "path_flows: reverse must be true or false, got NULL"),
        ("path_flows(ts, 5, 'a', 3, true)", "path_flows: event must be text, got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call} FROM {VISITS}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
    let conditions = vec!["true"; 33].join(", ");
    assert!(
        refusal(&format!("SELECT retention({conditions})"))
            .await
            .contains("retention: 1 to 32 conditions are needed, got 33")
    );
}

#[tokio::test]
async fn a_pattern_that_would_take_for_ever_is_refused() {
    let sql = "SELECT sequence_match('(?1)(?t<=9000)(?2)', to_timestamp(i), i % 2 = 0, false) FROM generate_series(1, 20000) AS g(i)";
    assert!(
        refusal(sql)
            .await
            .contains("sequence_match: the pattern takes more than 5000000 steps on one group's 10000 events")
    );
    // Stars alone cost actions times events.
    let stars = sql.replace("(?1)(?t<=9000)(?2)", "(?1).*(?1).*(?1).*(?1).*(?2)");
    assert_eq!(value(&session(), &stars).await, "false");
}

/// By pandas, beside the data: the cohorts of Online Retail.
#[tokio::test]
async fn the_cohorts_of_online_retail_are_those_of_another_program() {
    let Some(expected) = test_data("online_retail/expected_cohort_retention.csv") else { return };
    let expected = csv(&std::fs::read_to_string(expected).unwrap());
    let session = session();
    register_online_retail(&session).await;
    let sql = "SELECT substr(cohort::varchar, 1, 7), k, count(*) FROM (SELECT c['cohort'] AS cohort, unnest(c['periods']) AS k
        FROM (SELECT id, cohort_periods(ts, 'month') AS c FROM invoices GROUP BY id)) GROUP BY 1, 2 ORDER BY 1, 2";
    assert_eq!(rows(&session, sql).await, expected);
}

#[tokio::test]
async fn periods_are_counted_from_the_first() {
    let of = |unit: &str| {
        format!(
            "SELECT cohort_periods(ts, '{unit}') FROM (VALUES (TIMESTAMP '2024-03-03 23:00:00'), (TIMESTAMP '2024-03-04 01:00:00'), (TIMESTAMP '2024-01-31 00:00:00'), (NULL), (TIMESTAMP '2024-03-04 02:00:00')) AS t(ts)"
        )
    };
    // 2024-01-31 is a Wednesday, 2024-03-04 a Monday.
    for (unit, expected) in [
        ("day", "{cohort: 2024-01-31, periods: [0, 32, 33]}"),
        ("week", "{cohort: 2024-01-29, periods: [0, 4, 5]}"),
        ("month", "{cohort: 2024-01-01, periods: [0, 2]}"),
    ] {
        assert_eq!(value(&session(), &of(unit)).await, expected, "{unit}");
    }
    assert_eq!(value(&session(), "SELECT cohort_periods(NULL::date, 'day')").await, "NULL");
    for (call, message) in [
        (
            "cohort_periods(DATE '2024-01-01', 'year')",
            "cohort_periods: unit must be 'day', 'week' or 'month', got \"year\"",
        ),
        ("cohort_periods(5, 'day')", "cohort_periods: ts must be a date or timestamp, got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}
