//! attribute.

use std::collections::HashMap;
use std::fmt::Write;

use super::support::{close, csv, of, refusal, rows, session, session_with, test_data, value};
use datafusion::prelude::{SessionConfig, SessionContext};
use henna_udfs::attribution::chain::{Chain, Outcome};
use proptest::prelude::{ProptestConfig, proptest};

/// The credits of one conversion at noon of January 31 with these touches (day of January, channel).
async fn credits(touches: &[(u32, &str)], amount: &str, model: &str) -> Vec<Vec<String>> {
    let mut values = String::new();
    for (day, channel) in touches {
        write!(values, "(TIMESTAMP '2024-01-{day:02} 12:00:00', {channel}),").unwrap();
    }
    let sql = format!(
        "SELECT c['channel'], c['weight'], c['value'] FROM (SELECT unnest(attribute(ts, channel, TIMESTAMP '2024-01-31 12:00:00', {amount}, {model})) AS c
            FROM (VALUES {}) AS t(ts, channel))",
        values.trim_end_matches(',')
    );
    rows(&session(), &sql).await
}

const PATH: [(u32, &str); 4] = [(24, "'search'"), (10, "'ads'"), (31, "'direct'"), (17, "'mail'")];
const HUNDRED: &str = "CAST(100 AS DECIMAL(18, 2))";

#[tokio::test]
async fn every_model_credits_its_touches() {
    assert_eq!(credits(&PATH, HUNDRED, "'first'").await, [["ads", "1.0", "100.00"]]);
    assert_eq!(credits(&PATH, HUNDRED, "'last'").await, [["direct", "1.0", "100.00"]]);
    assert_eq!(credits(&PATH, HUNDRED, "'last_non_direct'").await, [["search", "1.0", "100.00"]]);
    let quarter = |channel| [channel, "0.25", "25.00"];
    assert_eq!(
        credits(&PATH, HUNDRED, "'linear'").await,
        [quarter("ads"), quarter("mail"), quarter("search"), quarter("direct")]
    );
    let position =
        [["ads", "0.4", "40.00"], ["mail", "0.1", "10.00"], ["search", "0.1", "10.00"], ["direct", "0.4", "40.00"]];
    assert_eq!(credits(&PATH, HUNDRED, "'position'").await, position);
    // Ages 21, 14, 7 and 0 days at a half-life of 7: 1, 2, 4 and 8 of 15.
    let values: Vec<String> = credits(&PATH, "CAST(1.50 AS DECIMAL(18, 2))", "'time_decay'")
        .await
        .into_iter()
        .map(|mut credit| credit.remove(2))
        .collect();
    assert_eq!(values, ["0.10", "0.20", "0.40", "0.80"]);
}

#[tokio::test]
async fn a_decimal_is_split_to_the_cent() {
    let thirds = [(1, "'a'"), (2, "'b'"), (3, "'c'")];
    let values: Vec<String> =
        credits(&thirds, HUNDRED, "'linear'").await.into_iter().map(|mut credit| credit.remove(2)).collect();
    assert_eq!(values, ["33.34", "33.33", "33.33"]);
    assert_eq!(credits(&thirds, "-0.01::decimal(18, 2)", "'linear'").await[0][2], "-0.01");
    assert_eq!(credits(&thirds, "3", "'linear'").await[0][2], "1.0");
    assert_eq!(credits(&thirds, "NULL", "'linear'").await[0][2], "NULL");
}

#[tokio::test]
async fn a_channel_touched_twice_is_credited_once_with_both() {
    let path = [(1, "'a'"), (2, "'b'"), (3, "'a'"), (4, "'a'")];
    assert_eq!(credits(&path, HUNDRED, "'linear'").await, [["a", "0.75", "75.00"], ["b", "0.25", "25.00"]]);
}

#[tokio::test]
async fn lookback_includes_its_edge_and_half_life_is_free() {
    for lookback in ["INTERVAL '14 days'", "14"] {
        assert_eq!(credits(&PATH, HUNDRED, &format!("'first', {lookback}")).await[0][0], "mail", "{lookback}");
    }
    assert_eq!(
        credits(&PATH, HUNDRED, "'time_decay', 7, INTERVAL '168 hours'").await,
        [["search", "0.3333333333333333", "33.33"], ["direct", "0.6666666666666666", "66.67"]]
    );
    assert_eq!(credits(&PATH, HUNDRED, "'first', NULL").await[0][0], "ads");
}

#[tokio::test]
async fn touches_after_the_conversion_and_rows_with_null_are_left_out() {
    let sql = "SELECT attribute(t, c, TIMESTAMP '2024-01-10 00:00:00', 1, 'linear') FROM (VALUES
        (TIMESTAMP '2024-01-11 00:00:00', 'late'), (NULL, 'no time'), (TIMESTAMP '2024-01-01 00:00:00', NULL)) AS v(t, c)";
    assert_eq!(value(&session(), sql).await, "NULL");
}

#[tokio::test]
async fn channels_may_be_dictionaries_and_views() {
    for kind in ["Utf8View", "LargeUtf8", "Dictionary(Int32, Utf8)"] {
        let sql = format!(
            "SELECT attribute(DATE '2024-01-01', arrow_cast('ads', '{kind}'), DATE '2024-01-02', 5, 'last')[1]['channel']"
        );
        assert_eq!(value(&session(), &sql).await, "ads", "{kind}");
    }
}

#[tokio::test]
async fn wrong_constants_are_refused() {
    let call = |rest: &str| format!("SELECT attribute(DATE '2024-01-01', 'ads', DATE '2024-01-02', 5, {rest})");
    for (rest, message) in [
        (
            "'best'",
            "attribute: model must be one of 'first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay', got \"best\"",
        ),
        ("NULL", "'time_decay', got NULL"),
        ("'last', -1", "attribute: lookback must be 0 or more, got \"-1"),
        ("'last', 1, 0", "attribute: half_life must be above 0, got \"0"),
        ("'last', INTERVAL '1 month'", "attribute: lookback must be given in days or shorter units"),
        ("'last', 'week'", "attribute: lookback must be an interval or a number of days, got Utf8"),
    ] {
        let refused = refusal(&call(rest)).await;
        assert!(refused.contains(message), "{rest}: {refused}");
    }
}

#[tokio::test]
async fn a_group_of_two_conversions_is_refused() {
    let call = |rows: &str| {
        format!("SELECT attribute(DATE '2024-01-01', 'ads', d, v, 'last') FROM (VALUES {rows}) AS t(d, v)")
    };
    let refused = refusal(&call("(DATE '2024-01-02', 1), (DATE '2024-01-03', 1)")).await;
    assert!(refused.contains("attribute: conversion_ts must be the same in all rows of a group"), "{refused}");
    let refused = refusal(&call("(DATE '2024-01-02', 1.5), (DATE '2024-01-02', 2.5)")).await;
    assert!(
        refused.contains("attribute: value must be the same in all rows of a group, got \"1.5\" and \"2.5\""),
        "{refused}"
    );
}

/// The first, last and linear credits of the sample of the R package ChannelAttribution, a conversion a path.
#[tokio::test]
async fn the_heuristics_of_the_path_sample_are_found() {
    let (Some(paths), Some(expected)) =
        (test_data("attribution/paths.csv"), test_data("attribution/ca_heuristics.csv"))
    else {
        return;
    };
    let session = session_with(SessionConfig::new().with_target_partitions(4).with_batch_size(1024));
    let (mut touches, mut conversions) = (String::from("path,step,channel,conversions,total\n"), 0);
    for (path, line) in std::fs::read_to_string(paths).unwrap().lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split(';').collect();
        conversions += fields[1].parse::<u32>().unwrap();
        for (step, channel) in fields[0].split(" > ").enumerate() {
            writeln!(touches, "{path},{step},{},{},{}", channel.trim(), fields[1], fields[2]).unwrap();
        }
    }
    assert!(conversions > 0);
    let folder = std::env::temp_dir().join(format!("henna_udfs_paths_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("touches.csv");
    std::fs::write(&file, touches).unwrap();
    session.register_csv("touches", file.to_str().unwrap(), Default::default()).await.unwrap();
    let expected = csv(&std::fs::read_to_string(expected).unwrap());
    for (model, column) in [("first", 1), ("last", 3), ("linear", 5)] {
        let sql = format!(
            "SELECT c['channel'], sum(c['weight'] * conversions), sum(c['value']) FROM (
                SELECT conversions, unnest(attribute(to_timestamp(step), channel, to_timestamp(100000), total, '{model}')) AS c FROM touches GROUP BY path, conversions)
             WHERE conversions > 0 GROUP BY 1"
        );
        let found: HashMap<String, Vec<String>> =
            rows(&session, &sql).await.into_iter().map(|row| (row[0].clone(), row)).collect();
        assert_eq!(found.len(), expected.len());
        for line in &expected {
            close(&found[&line[0]][1], line[column].parse().unwrap(), 1e-6);
            close(&found[&line[0]][2], line[column + 1].parse().unwrap(), 1e-6);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// The table `journeys(path, conversions, value, nulls)` of the sample; false where it is not at hand.
async fn register_sample(session: &SessionContext) -> bool {
    let Some(file) = test_data("attribution/paths.csv") else { return false };
    let options = datafusion::prelude::CsvReadOptions::new().delimiter(b';');
    session.register_csv("lines", file.to_str().unwrap(), options).await.unwrap();
    let sql = "CREATE TABLE journeys AS SELECT string_to_array(replace(path, ' ', ''), '>') AS path, total_conversions AS conversions,
        total_conversion_value AS value, total_null AS nulls FROM lines";
    session.sql(sql).await.unwrap().collect().await.unwrap();
    true
}

/// An exact solution of the chain of order 1 in another language, computed beside the simulation of the R package.
#[tokio::test]
async fn the_chain_of_the_path_sample_is_solved_as_elsewhere() {
    let session = session_with(SessionConfig::new().with_target_partitions(4).with_batch_size(1024));
    if !register_sample(&session).await {
        return;
    }
    let expected =
        csv(&std::fs::read_to_string(test_data("attribution/markov_order1_exact_vs_package.csv").unwrap()).unwrap());
    let sql = "SELECT c['channel'], c['removal_effect'], c['conversions'], c['value'] FROM
        (SELECT unnest(markov_attribution(path, conversions, value, nulls, 1)) AS c FROM journeys) ORDER BY 1";
    let found = rows(&session, sql).await;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found[0], expected[0]);
        for (column, place) in [(1, 1), (2, 3), (3, 4)] {
            let expected: f64 = expected[place].parse().unwrap();
            close(&found[column], expected, 1e-9 * expected.max(1e-3));
        }
    }
}

#[tokio::test]
async fn higher_orders_share_the_same_whole() {
    let session = session();
    if !register_sample(&session).await {
        return;
    }
    for order in [1, 2, 3, 4] {
        let sql = format!(
            "SELECT sum(c['conversions']), sum(c['value']), min(c['removal_effect']) > 0 FROM
            (SELECT unnest(markov_attribution(path, conversions, CAST(value AS DECIMAL(18, 4)), nulls, {order})) AS c FROM journeys)"
        );
        let found = rows(&session, &sql).await.remove(0);
        close(&found[0], 19_785.0, 1e-6);
        let whole = value(&session, "SELECT sum(CAST(value AS DECIMAL(18, 4))) FROM journeys").await;
        assert_eq!(found[1..], [whole, "true".to_owned()], "order {order}");
    }
}

/// The form of ChannelAttribution's samples, in every type of text.
#[tokio::test]
async fn a_path_may_be_a_text() {
    let paths = "(VALUES ('ads > mail > ads', 3, 60.00, 10), ('mail', 1, 15.00, 20), ('ads', 1, 10.00, 9), ('a>b', 2, 4.00, 1),
        ('', 9, 9.00, 9), (CAST(NULL AS VARCHAR), 9, 9.00, 9), ('ads > ', 1, 1.00, 0)) AS t(path, conversions, value, nulls)";
    let session = session();
    for model in ["markov_attribution(_, conversions, value, nulls, 2)", "shapley_attribution(_, conversions, value)"] {
        let of = |path: &str| format!("SELECT unnest({}) FROM {paths}", model.replace("(_", &format!("({path}")));
        let expected = rows(&session, &of("string_to_array(path, ' > ')")).await;
        assert_eq!(expected.len(), 4);
        for kind in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)"] {
            assert_eq!(
                rows(&session, &of(&format!("arrow_cast(path, '{kind}')"))).await,
                expected,
                "{model} of {kind}"
            );
        }
    }
}

/// In the description of the sample: alpha has 7627.94 conversions.
#[tokio::test]
async fn the_shapley_values_of_the_path_sample_are_found() {
    let session = session();
    if !register_sample(&session).await {
        return;
    }
    let sql = "SELECT c['channel'], c['conversions'] FROM (SELECT unnest(shapley_attribution(path, conversions, value)) AS c FROM journeys) ORDER BY 1";
    let found = rows(&session, sql).await;
    close(&found[0][1], 7_627.94, 0.005);
    close(&found.iter().map(|row| row[1].parse::<f64>().unwrap()).sum::<f64>().to_string(), 19_785.0, 1e-6);
}

/// By hand: without a, all conversions of b alone remain; both are lost with their own paths.
#[tokio::test]
async fn a_chain_of_two_channels_is_what_hand_computation_gives() {
    let paths = "(VALUES (['a', 'b'], 1, CAST(10.00 AS DECIMAL(18, 2)), 1), (['b'], 1, CAST(5.01 AS DECIMAL(18, 2)), 1)) AS t(path, conversions, value, nulls)";
    // P(conversion) = 1/2. Without a: half begin at b, which converts half. Without b: nobody converts.
    let markov = format!("SELECT markov_attribution(path, conversions, value, nulls, 1) FROM {paths}");
    assert_eq!(
        value(&session(), &markov).await,
        "[{channel: a, removal_effect: 0.5, conversions: 0.6666666666666666, value: 5.00}, {channel: b, removal_effect: 1.0, conversions: 1.3333333333333333, value: 10.01}]"
    );
    let shapley = format!("SELECT shapley_attribution(path, conversions, value) FROM {paths}");
    assert_eq!(
        value(&session(), &shapley).await,
        "[{channel: a, conversions: 0.5, value: 5.00}, {channel: b, conversions: 1.5, value: 10.01}]"
    );
}

#[tokio::test]
async fn a_path_is_in_order_of_time_then_name() {
    let touches = "FROM (VALUES (TIMESTAMP '2024-01-03 00:00:00', 'ads'), (TIMESTAMP '2024-01-01 00:00:00', 'mail'), (TIMESTAMP '2024-01-03 00:00:00', 'Shop'),
        (NULL, 'x'), (TIMESTAMP '2024-01-01 00:00:00', NULL), (TIMESTAMP '2024-01-02 00:00:00', 'ads')) AS t(ts, channel)";
    assert_eq!(of(&format!("touch_path(ts, channel) {touches}")).await, "[mail, ads, Shop, ads]");
    assert_eq!(of(&format!("touch_path(ts, channel) FILTER (WHERE ts IS NULL) {touches}")).await, "NULL");
    let same = "touch_path(ts, channel) = array_agg(channel ORDER BY ts, channel) FILTER (WHERE ts IS NOT NULL AND channel IS NOT NULL)";
    assert_eq!(of(&format!("{same} {touches}")).await, "true");
}

#[tokio::test]
async fn a_journey_ends_with_its_conversion() {
    let day = |day: u32| format!("TIMESTAMP '2024-01-{day:02} 12:00:00'");
    let steps = format!(
        "FROM (VALUES ({}, 'ads', NULL), ({}, 'mail', NULL), ({}, 'shop', 10.00), ({}, 'mail', 2.50), ({}, 'mail', NULL), ({}, NULL, 1.00), ({}, 'ads', NULL), (NULL, 'x', 1.00), ({}, NULL, NULL)) AS t(ts, channel, value)",
        day(1),
        day(3),
        day(3),
        day(4),
        day(10),
        day(10),
        day(20),
        day(21)
    );
    let journeys = |lookback: &str| {
        format!("SELECT unnest(customer_journeys(ts, channel, CAST(value AS DECIMAL(18, 2)){lookback})) AS j {steps}")
    };
    let shown = |ts: u32, path: &str, conversions: &str, value: &str, nulls: &str| {
        [&format!("2024-01-{ts:02}T12:00:00"), path, conversions, value, nulls].map(str::to_owned).to_vec()
    };
    let fields = "SELECT j['ts'], j['path'], j['conversions'], j['value'], j['nulls']";
    assert_eq!(
        rows(&session(), &format!("{fields} FROM ({})", journeys(""))).await,
        [
            shown(3, "[ads, mail]", "1.0", "10.00", "0.0"),
            // Nothing was touched since the last one: its own channel is its path.
            shown(4, "[mail]", "1.0", "2.50", "0.0"),
            shown(10, "[mail]", "1.0", "1.00", "0.0"),
            shown(20, "[ads]", "0.0", "NULL", "1.0"),
        ]
    );
    let short = rows(&session(), &format!("{fields} FROM ({})", journeys(", 1.5"))).await;
    assert_eq!(short[0], shown(3, "[mail]", "1.0", "10.00", "0.0"));
    // The same whole, whatever the model.
    for model in [
        "markov_attribution(j['path'], j['conversions'], j['value'], j['nulls'], 1)",
        "shapley_attribution(j['path'], j['conversions'], j['value'])",
    ] {
        let sums = format!(
            "SELECT sum(c['conversions']), sum(c['value']) FROM (SELECT unnest({model}) AS c FROM ({}))",
            journeys("")
        );
        let sums = rows(&session(), &sums).await.remove(0);
        close(&sums[0], 3.0, 1e-12);
        assert_eq!(sums[1], "13.50", "{model}");
    }
    for (call, message) in [
        ("customer_journeys(DATE '2024-01-01', 'a', 1, -1)", "customer_journeys: lookback must be 0 or more, got \"-1"),
        ("customer_journeys(5, 'a', 1)", "customer_journeys: ts must be a date or timestamp, got Int64"),
        ("customer_journeys(DATE '2024-01-01', 5, 1)", "customer_journeys: channel must be text, got Int64"),
        ("customer_journeys(DATE '2024-01-01', 'a', 'b')", "customer_journeys: value must be a number, got Utf8"),
        ("customer_journeys(DATE '2024-01-01', 'a')", "customer_journeys: 3 or 4 arguments are needed, got 2"),
        (
            "customer_journeys(DATE '2024-01-01', 'a', 1, INTERVAL '1 month')",
            "customer_journeys: lookback must be given in days or shorter units",
        ),
        ("touch_path(5, 'a')", "touch_path: ts must be a date or timestamp, got Int64"),
        ("touch_path(DATE '2024-01-01', 5)", "touch_path: channel must be text, got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

#[tokio::test]
async fn paths_may_be_lists_of_any_text() {
    for kind in ["List(Utf8)", "List(Utf8View)", "LargeList(Utf8)", "List(LargeUtf8)", "FixedSizeList(2, Utf8)"] {
        let call = format!("SELECT shapley_attribution(arrow_cast(['b', 'a'], '{kind}'), 1, 2)");
        let credits = "[{channel: a, conversions: 0.5, value: 1.0}, {channel: b, conversions: 0.5, value: 1.0}]";
        assert_eq!(value(&session(), &call).await, credits, "{kind}");
    }
}

#[tokio::test]
async fn paths_that_tell_nothing_are_left_out() {
    let of = |call: &str| {
        format!(
            "SELECT {call} FROM (VALUES (['a'], -1, 5.0, 0), (NULL, 1, 5.0, 1), ([], 1, 5.0, 1), ([NULL], 1, 5.0, 1)) AS t(path, conversions, value, nulls)"
        )
    };
    assert_eq!(value(&session(), &of("markov_attribution(path, conversions, value, nulls, 1)")).await, "NULL");
    assert_eq!(value(&session(), &of("shapley_attribution(path, conversions, value)")).await, "NULL");
    let nothing_came = "SELECT markov_attribution(['a', NULL, 'b'], NULL, NULL, 3, 2)";
    assert_eq!(
        value(&session(), nothing_came).await,
        "[{channel: a, removal_effect: NULL, conversions: 0.0, value: 0.0}, {channel: b, removal_effect: NULL, conversions: 0.0, value: 0.0}]"
    );
    for (call, message) in [
        ("markov_attribution(['a'], 1, 1, 1, 0)", "markov_attribution: order must be 1 to 20, got \"0\""),
        ("markov_attribution(['a'], 1, 1, 1, NULL)", "markov_attribution: order must be 1 to 20, got NULL"),
        ("markov_attribution(['a'], 1, 1, 1, 1.5)", "markov_attribution: order must be a whole number, got"),
        (
            "markov_attribution(1, 1, 1, 1, 1)",
            "markov_attribution: path must be a list of channels, or a text with ' > ' between them, got Int64",
        ),
        ("shapley_attribution([1], 1, 1)", "shapley_attribution: a channel of path must be text, got Int64"),
        ("shapley_attribution(['a'], 1)", "shapley_attribution: 3 arguments are needed, got 2"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_chance_of_a_conversion_is_the_same_for_every_order(
        paths in proptest::collection::vec((proptest::collection::vec(0u32..5, 1..12), 0u32..4, 0u32..6), 1..30),
    ) {
        let outcomes = || paths.iter().map(|(channels, conversions, nulls)| Outcome {
            channels, conversions: f64::from(*conversions), value: f64::from(*conversions) * 2.5, nulls: f64::from(*nulls),
        });
        let converted: u32 = paths.iter().map(|(_, conversions, _)| conversions).sum();
        let customers: u32 = paths.iter().map(|(_, conversions, nulls)| conversions + nulls).sum();
        for order in 1..6 {
            let chain = Chain::new(outcomes(), order);
            let all = chain.yield_without(None).unwrap();
            let expected = if customers == 0 { 0.0 } else { f64::from(converted) / f64::from(customers) };
            proptest::prop_assert!((all.conversion - expected).abs() < 1e-12, "order {}: {} is not {}", order, all.conversion, expected);
            proptest::prop_assert!((all.value - 2.5 * expected).abs() < 1e-11);
            for channel in 0..5 {
                let without = chain.yield_without(Some(channel)).unwrap();
                proptest::prop_assert!((0.0..=all.conversion + 1e-12).contains(&without.conversion));
            }
        }
    }
}
