//! repurchase_rate, repurchase_within.

use super::rfm::register_online_retail;
use super::support::{close, csv, of, refusal, session, test_data, value};

/// By pandas, beside the data.
#[tokio::test]
async fn the_rates_of_online_retail_are_those_of_another_program() {
    let Some(expected) = test_data("online_retail/expected_repurchase_rates.csv") else { return };
    let expected = csv(&std::fs::read_to_string(expected).unwrap());
    let session = session();
    register_online_retail(&session).await;
    for (call, name) in [
        ("repurchase_rate(id, ts, 'orders')", "repeat_rate_by_invoice"),
        ("repurchase_rate(id, ts, 'days')", "repeat_rate_day_dedup"),
        ("repurchase_rate(id::varchar, ts, 'repeat_orders')", "order_repeat_share"),
        ("repurchase_within(id, ts, 30, 'orders')", "repurchase_30d_of_all"),
        ("repurchase_within(id::varchar, ts, 90, 'orders')", "repurchase_90d_of_all"),
    ] {
        let line = expected.iter().find(|line| line[0] == name).unwrap();
        close(&value(&session, &format!("SELECT {call} FROM invoices")).await, line[1].parse().unwrap(), 1e-12);
    }
    // ClickHouse 26.9 counts 812 of 4,338 customers with an order on a later day within 30 days.
    let later = value(&session, "SELECT repurchase_within(id, ts, 30, 'days') FROM invoices").await;
    close(&later, 812.0 / 4338.0, 1e-15);
}

#[tokio::test]
async fn days_are_local_and_nobody_has_no_rate() {
    // Both orders are on January 2 in Shanghai, on two days in UTC.
    let rows = "FROM (VALUES (1, TIMESTAMP '2024-01-01 17:00:00'), (1, TIMESTAMP '2024-01-02 01:00:00'), (NULL, TIMESTAMP '2024-01-02 01:00:00'), (2, NULL)) AS t(c, ts)";
    assert_eq!(of(&format!("repurchase_rate(c, ts, 'days') {rows}")).await, "1.0");
    let local =
        "arrow_cast(arrow_cast(ts, 'Timestamp(Second, Some(\"UTC\"))'), 'Timestamp(Second, Some(\"Asia/Shanghai\"))')";
    assert_eq!(of(&format!("repurchase_rate(c, {local}, 'days') {rows}")).await, "0.0");
    assert_eq!(of(&format!("repurchase_within(c, {local}, 1, 'days') {rows}")).await, "0.0");
    assert_eq!(of(&format!("repurchase_rate(c, ts, 'orders') FILTER (WHERE c IS NULL) {rows}")).await, "NULL");
    for (call, message) in [
        (
            "repurchase_rate(1, DATE '2024-01-01', 'weeks')",
            "repurchase_rate: method must be 'orders', 'days' or 'repeat_orders', got \"weeks\"",
        ),
        ("repurchase_rate(1.5, DATE '2024-01-01', 'days')", "repurchase_rate: customer must be text, got Float64"),
        ("repurchase_rate(1, 1, 'days')", "repurchase_rate: ts must be a date or timestamp, got Int64"),
        ("repurchase_within(1, DATE '2024-01-01', 0, 'days')", "repurchase_within: days must be 1 or more, got \"0\""),
        (
            "repurchase_within(1, DATE '2024-01-01', 1, 'weeks')",
            "repurchase_within: method must be 'orders' or 'days', got \"weeks\"",
        ),
        (
            "repurchase_within(1, DATE '2024-01-01', 1.5, 'days')",
            "repurchase_within: days must be a whole number, got Float64",
        ),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}
