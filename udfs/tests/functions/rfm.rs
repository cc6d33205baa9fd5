//! rfm, rfm_summary, rfm_score, rfm_segment.

use datafusion::prelude::ParquetReadOptions;

use super::support::{csv, of, refusal, rows, session, test_data, value};

const ORDERS: &str = "CREATE TABLE orders AS SELECT arrow_cast(ts, 'Timestamp(Microsecond, Some(\"Asia/Shanghai\"))') AS ts, amount, id FROM (VALUES
    (1, '2024-06-29T15:59:59Z', CAST(10.50 AS DECIMAL(18, 2))), (1, '2024-06-30T16:00:00Z', CAST(0.25 AS DECIMAL(18, 2))), (1, '2024-06-30T17:00:00Z', NULL),
    (2, '2024-07-03T00:00:00Z', CAST(5 AS DECIMAL(18, 2))), (3, NULL, CAST(7 AS DECIMAL(18, 2))), (4, '2024-06-01T00:00:00Z', NULL)
    ) AS t(id, ts, amount)";

#[tokio::test]
async fn rfm_counts_all_orders_and_local_days() {
    let session = session();
    rows(&session, ORDERS).await;
    let sql = "SELECT id, r['recency_days'], r['frequency'], r['monetary'], arrow_typeof(r['monetary'])
        FROM (SELECT id, rfm(ts, amount, DATE '2024-07-02') AS r FROM orders GROUP BY id) ORDER BY id";
    // The orders of customer 1 fall on June 29 and July 1 in Shanghai; customer 2 buys after as_of, 3 has no time, 4 no money.
    let answer = rows(&session, sql).await;
    assert_eq!(answer[0], ["1", "1", "3", "10.75", "Decimal128(38, 2)"]);
    assert_eq!(answer[1][1..4], ["NULL", "NULL", "NULL"]);
    assert_eq!(answer[2][1..4], ["NULL", "NULL", "NULL"]);
    assert_eq!(answer[3][1..4], ["31", "1", "NULL"]);
}

#[tokio::test]
async fn rfm_takes_text_and_zoned_times_for_as_of() {
    let session = session();
    rows(&session, ORDERS).await;
    // Midnight of July 2 in Shanghai, said in UTC, in Shanghai's time and in text.
    for as_of in [
        "arrow_cast('2024-07-01T16:00:00Z', 'Timestamp(Second, Some(\"UTC\"))')",
        "'2024-07-02'",
        "'2024-07-02T23:00:00'",
    ] {
        let sql = format!("SELECT rfm(ts, amount, {as_of})['recency_days'] FROM orders WHERE id = 1");
        assert_eq!(value(&session, &sql).await, "1", "{as_of}");
    }
}

#[tokio::test]
async fn rfm_takes_the_latest_as_of_of_each_customer() {
    // Customers 1 and 3 are asked for a later day than 2, whose rows come between; customer 3 has no row before.
    let sql = "SELECT id, rfm(ts, 1, as_of)['recency_days'] FROM (VALUES (1, DATE '2024-06-01', DATE '2024-06-11'), (1, DATE '2024-06-02', DATE '2024-06-12'),
        (2, DATE '2024-06-01', DATE '2024-06-04'), (2, DATE '2024-06-01', DATE '2024-06-03'), (3, DATE '2024-06-01', DATE '2024-06-21')) AS t(id, ts, as_of)
        GROUP BY id ORDER BY id";
    assert_eq!(rows(&session(), sql).await, [["1", "10"], ["2", "3"], ["3", "20"]]);
}

#[tokio::test]
async fn rfm_of_no_rows_is_null_and_a_filter_leaves_rows_out() {
    let session = session();
    rows(&session, ORDERS).await;
    assert_eq!(
        value(&session, "SELECT rfm(ts, amount, DATE '2024-07-02') IS NULL FROM orders WHERE id > 9").await,
        "true"
    );
    let filtered =
        "SELECT rfm(ts, amount, DATE '2024-07-02') FILTER (WHERE amount > 1)['frequency'] FROM orders WHERE id = 1";
    assert_eq!(value(&session, filtered).await, "1");
}

#[tokio::test]
async fn rfm_reads_dates_of_any_type_and_amounts_of_any_type() {
    for ts in [
        "Date32",
        "Date64",
        "Timestamp(Second, None)",
        "Timestamp(Millisecond, None)",
        "Timestamp(Nanosecond, Some(\"+08:00\"))",
    ] {
        let call = format!("SELECT rfm(arrow_cast(DATE '2024-01-01', '{ts}'), 1.5, DATE '2024-01-31')['recency_days']");
        assert_eq!(value(&session(), &call).await, "30", "{ts}");
    }
    for (amount, sum) in
        [("2", "2.0"), ("1.5", "1.5"), ("CAST(1.5 AS DECIMAL(40, 3))", "1.500"), ("'NaN'::double", "NULL")]
    {
        assert_eq!(
            value(&session(), &format!("SELECT rfm(DATE '2024-01-01', {amount}, DATE '2024-01-01')['monetary']")).await,
            sum,
            "{amount}"
        );
    }
}

#[tokio::test]
async fn rfm_refuses_what_is_no_time_and_no_amount() {
    assert!(
        refusal("SELECT rfm(1, 1, DATE '2024-01-01')").await.contains("rfm: ts must be a date or timestamp, got Int64")
    );
    assert!(
        refusal("SELECT rfm(DATE '2024-01-01', 'x', DATE '2024-01-01')")
            .await
            .contains("rfm: amount must be a number, got Utf8")
    );
    let largest = "CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))";
    let sum =
        format!("SELECT rfm(DATE '2024-01-01', a, DATE '2024-01-01') FROM (VALUES ({largest}), ({largest})) AS t(a)");
    assert!(refusal(&sum).await.contains("rfm: the sum of amount is out of range"));
}

#[tokio::test]
async fn rfm_in_a_window_frame_accumulates() {
    let sql = "SELECT rfm(d, 1, DATE '2024-01-10') OVER (ORDER BY d)['frequency'] FROM (VALUES (DATE '2024-01-01'), (DATE '2024-01-05')) AS t(d)";
    assert_eq!(rows(&session(), sql).await, [["1"], ["2"]]);
}

#[tokio::test]
async fn rfm_summary_collapses_days_and_leaves_the_first_out() {
    let sql = "SELECT s['frequency'], s['recency'], s['t'], s['monetary'] FROM (SELECT rfm_summary(d, a, DATE '2024-01-15', 'week') AS s FROM (VALUES
        (TIMESTAMP '2024-01-01 08:00:00', 100.0), (TIMESTAMP '2024-01-08 08:00:00', 10.0), (TIMESTAMP '2024-01-08 20:00:00', 20.0),
        (TIMESTAMP '2024-01-15 23:00:00', 50.0), (TIMESTAMP '2024-01-16 00:00:00', 70.0)) AS t(d, a))";
    assert_eq!(rows(&session(), sql).await, [["2", "2.0", "2.0", "40.0"]]);
}

#[tokio::test]
async fn rfm_summary_of_one_day_has_no_repeat_amount() {
    let sql = "SELECT s['frequency'], s['recency'], s['t'], s['monetary'] FROM (SELECT rfm_summary(DATE '2024-01-01', 5, DATE '2024-01-31', 'day') AS s)";
    assert_eq!(rows(&session(), sql).await, [["0", "0.0", "30.0", "NULL"]]);
}

#[tokio::test]
async fn rfm_summary_of_nobody_is_null_in_every_field() {
    let sql = "SELECT s IS NULL, s['frequency'], s['recency'], s['t'], s['monetary'] FROM (SELECT rfm_summary(DATE '2024-02-01', 5, DATE '2024-01-31', 'day') AS s)";
    assert_eq!(rows(&session(), sql).await, [["true", "NULL", "NULL", "NULL", "NULL"]]);
}

#[tokio::test]
async fn rfm_summary_refuses_an_unknown_unit() {
    let unit =
        |unit: &str| format!("SELECT rfm_summary(d, 1, d, {unit}) FROM (VALUES (DATE '2024-01-01', 'day')) AS t(d, u)");
    assert!(refusal(&unit("'month'")).await.contains("rfm_summary: unit must be 'day' or 'week', got \"month\""));
    assert!(refusal(&unit("u")).await.contains("rfm_summary: unit must be a constant"));
    assert!(refusal(&unit("NULL")).await.contains("rfm_summary: unit must be 'day' or 'week', got NULL"));
}

#[tokio::test]
async fn rfm_score_ntile_equals_sql_ntile() {
    let sql = "SELECT count(*) FROM (SELECT
        rfm_score(v, 5, true, 'ntile') OVER (ORDER BY id) AS up, ntile(5) OVER (ORDER BY v, id) AS up_expected,
        rfm_score(v, 5, false, 'ntile') OVER (ORDER BY id) AS down, ntile(5) OVER (ORDER BY v DESC, id) AS down_expected,
        rfm_score(v, 4, true, 'ntile') OVER (PARTITION BY id % 3 ORDER BY id) AS part, ntile(4) OVER (PARTITION BY id % 3 ORDER BY v, id) AS part_expected
        FROM (SELECT value AS id, value * 7919 % 13 AS v FROM generate_series(1, 1003)))
        WHERE up <> up_expected OR down <> down_expected OR part <> part_expected";
    assert_eq!(value(&session(), sql).await, "0");
}

/// More parts than rows, as many, and fewer, of every kind of value.
#[tokio::test]
async fn rfm_score_ntile_cuts_any_number_of_rows_as_sql_does() {
    let session = session();
    for (rows, parts) in (1..=9).flat_map(|rows| (1..=7).map(move |parts| (rows, parts))) {
        for kind in ["BIGINT", "DOUBLE", "VARCHAR", "NUMERIC(9, 2)"] {
            let sql = format!(
                "SELECT count(*) FROM (SELECT rfm_score(v, {parts}, false, 'ntile') OVER (ORDER BY id) AS ours, ntile({parts}) OVER (ORDER BY v DESC, id) AS theirs
                FROM (SELECT value AS id, CAST(value * 5 % 4 AS {kind}) AS v FROM generate_series(1, {rows}))) WHERE ours <> theirs"
            );
            assert_eq!(value(&session, &sql).await, "0", "{rows} rows of {kind} in {parts} parts");
        }
    }
}

#[tokio::test]
async fn rfm_score_percentile_gives_equal_values_one_score() {
    let sql = "SELECT rfm_score(v, 5, true, 'percentile') OVER (ORDER BY id) FROM (VALUES (1, 1), (2, 1), (3, 1), (4, 2), (5, 3)) AS t(id, v) ORDER BY id";
    assert_eq!(rows(&session(), sql).await.concat(), ["1", "1", "1", "4", "5"]);
}

#[tokio::test]
async fn rfm_score_leaves_null_and_nan_out() {
    let sql = "SELECT rfm_score(v, 2, true, 'ntile') OVER (ORDER BY id) FROM (VALUES (1, 3.0), (2, NULL), (3, 'NaN'::double), (4, 9.0)) AS t(id, v) ORDER BY id";
    assert_eq!(rows(&session(), sql).await.concat(), ["1", "NULL", "NULL", "2"]);
}

#[tokio::test]
async fn rfm_score_refuses_wrong_constants() {
    let call = |args: &str| format!("SELECT rfm_score({args}) OVER () FROM (VALUES (1)) AS t(v)");
    for (args, message) in [
        ("v, 0, true, 'ntile'", "rfm_score: n must be 1 or more, got \"0\""),
        ("v, v, true, 'ntile'", "rfm_score: n must be a constant"),
        ("v, 5, 'up', 'ntile'", "rfm_score: ascending must be true or false, got \"up\""),
        ("v, 5, true, 'decile'", "rfm_score: method must be 'ntile' or 'percentile', got \"decile\""),
    ] {
        let refusal = refusal(&call(args)).await;
        assert!(refusal.contains(message), "{args}: {refusal}");
    }
}

#[tokio::test]
async fn rfm_segment_has_its_corners_and_null_outside() {
    assert_eq!(of("rfm_segment(5, 5, 5)").await, "Champions");
    assert_eq!(of("rfm_segment(1, 1, 1)").await, "Lost");
    assert_eq!(of("rfm_segment(6, 1, 1)").await, "NULL");
    assert_eq!(of("rfm_segment(5, NULL, 5)").await, "NULL");
    assert!(refusal("SELECT rfm_segment('5', 5, 5)").await.contains("rfm_segment: r must be an integer, got Utf8"));
}

#[tokio::test]
async fn rfm_segment_takes_an_own_map() {
    let map = r#"'{"111": "low", "10-1-1": "ten", "*": "other"}'"#;
    assert_eq!(of(&format!("rfm_segment(1, 1, 1, {map})")).await, "low");
    assert_eq!(of(&format!("rfm_segment(10, 1, 1, {map})")).await, "ten");
    assert_eq!(of(&format!("rfm_segment(2, 1, 1, {map})")).await, "other");
    assert_eq!(of(r#"rfm_segment(2, 1, 1, '{"111": "low"}')"#).await, "NULL");
    assert!(
        refusal("SELECT rfm_segment(1, 1, 1, '[1]')")
            .await
            .contains("rfm_segment: map must be a JSON object from code to name, got \"[1]\"")
    );
}

#[tokio::test]
async fn rfm_segment_agrees_with_the_complete_map() {
    let Some(file) = test_data("rfm/rfm_segment_map_125.csv") else { return };
    let session = session();
    for line in csv(&std::fs::read_to_string(file).unwrap()) {
        let code: Vec<char> = line[0].chars().collect();
        assert_eq!(
            value(&session, &format!("SELECT rfm_segment({}, {}, {})", code[0], code[1], code[2])).await,
            line[1],
            "{}",
            line[0]
        );
    }
}

#[tokio::test]
async fn the_segments_of_online_retail_are_the_expected_ones() {
    let Some(expected) = test_data("online_retail/expected_rfm_segments.csv") else { return };
    let session = session();
    register_online_retail(&session).await;
    let sql = "WITH customers AS (SELECT id, rfm(ts, amount, DATE '2011-12-10') AS v FROM invoices GROUP BY id),
        scored AS (SELECT v,
            rfm_score(v['recency_days'], 5, false, 'ntile') OVER (ORDER BY id) AS r,
            rfm_score(v['frequency'], 5, true, 'ntile') OVER (ORDER BY id) AS f,
            rfm_score(v['monetary'], 5, true, 'ntile') OVER (ORDER BY id) AS m FROM customers)
        SELECT rfm_segment(r, f, m) AS segment, count(*), round(sum(v['monetary']), 2)::decimal(18, 2),
            round(avg(v['recency_days']), 4), round(avg(v['frequency']), 4) FROM scored GROUP BY 1 ORDER BY 1";
    let expected = csv(&std::fs::read_to_string(expected).unwrap());
    assert_eq!(rows(&session, sql).await, expected);
}

/// The 1,616 customers whom ties give another score are counted independently with duckdb's ntile and rank.
#[tokio::test]
async fn percentile_differs_from_ntile_for_1616_customers_of_online_retail() {
    if test_data("online_retail/online_retail.parquet").is_none() {
        return;
    }
    let session = session();
    register_online_retail(&session).await;
    let sql = "SELECT count(*) FROM (SELECT
        rfm_score(v['frequency'], 5, true, 'ntile') OVER (ORDER BY id) AS cut, rfm_score(v['frequency'], 5, true, 'percentile') OVER (ORDER BY id) AS shared
        FROM (SELECT id, rfm(ts, amount, DATE '2011-12-10') AS v FROM invoices GROUP BY id)) WHERE cut <> shared";
    assert_eq!(value(&session, sql).await, "1616");
}

/// The view `invoices(id, ts, amount)` of invoices that count.
pub async fn register_online_retail(session: &datafusion::prelude::SessionContext) {
    let file = test_data("online_retail/online_retail.parquet").unwrap();
    session.register_parquet("lines", file.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    let view = "CREATE VIEW invoices AS SELECT \"CustomerID\" AS id, max(\"InvoiceDate\") AS ts, sum(\"Quantity\" * CAST(\"UnitPrice\" AS DECIMAL(18, 3))) AS amount
        FROM lines WHERE \"CustomerID\" IS NOT NULL AND \"InvoiceNo\" NOT LIKE 'C%' AND \"Quantity\" > 0 AND \"UnitPrice\" > 0 GROUP BY \"CustomerID\", \"InvoiceNo\"";
    rows(session, view).await;
}
