//! Measures of the trade.

use super::rfm::register_online_retail;
use super::support::{close, csv, of, refusal, rows, session, test_data, value};

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
        ("aov_per_order(amount::double)", "aov"),
        ("aov_per_buyer(id, amount::double)", "arpu"),
        ("aov_per_buyer(id::varchar, amount::double)", "arpu"),
    ] {
        let expected: f64 = expected.iter().find(|line| line[0] == name).unwrap()[1].parse().unwrap();
        close(&value(&session, &format!("SELECT {call} FROM invoices")).await, expected, 1e-12 * expected.max(1.0));
    }
    // The decimals of 8,911,407.904 for 18,532 invoices and for 4,338 customers.
    let exact = "SELECT aov_per_order(amount), aov_per_buyer(id, amount) FROM invoices";
    assert_eq!(rows(&session, exact).await, [["480.865956", "2054.266460"]]);
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

#[tokio::test]
async fn an_order_is_worth_more_to_a_buyer_than_by_itself() {
    let orders = "FROM (VALUES (1, 10.00), (1, 20.00), (2, 5.05), (NULL, 7.00), (3, NULL)) AS t(c, a)";
    let amount = "CAST(a AS DECIMAL(18, 2))";
    // 42.05 for 4 orders; 35.05 for 2 buyers.
    assert_eq!(of(&format!("aov_per_order({amount}) {orders}")).await, "10.512500");
    assert_eq!(of(&format!("aov_per_buyer(c, {amount}) {orders}")).await, "17.525000");
    assert_eq!(of(&format!("aov_per_buyer(c, a) {orders}")).await, "17.525");
    assert_eq!(of(&format!("arrow_typeof(aov_per_order({amount})) {orders}")).await, "Decimal128(38, 6)");
    assert_eq!(of("aov_per_order(CAST(-0.01 AS DECIMAL(18, 7)))").await, "-0.0100000");
    assert_eq!(of(&format!("aov_per_order(a) FILTER (WHERE a IS NULL) {orders}")).await, "NULL");
    assert_eq!(of(&format!("aov_per_buyer(c, a) FILTER (WHERE a IS NULL) {orders}")).await, "NULL");
    for (call, message) in [
        ("aov_per_order('a')", "aov_per_order: amount must be a number, got Utf8"),
        ("aov_per_buyer(1.5, 1)", "aov_per_buyer: customer must be text, got Float64"),
        ("aov_per_buyer(1)", "aov_per_buyer"),
        (
            "aov_per_order(CAST(repeat('9', 38) AS DECIMAL(38, 0))) FROM generate_series(1, 2)",
            "aov_per_order: the sum of amount is out of range",
        ),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

#[tokio::test]
async fn a_refund_keeps_undoes_or_hides_a_redemption() {
    let coupons = "FROM (VALUES (true, false), (true, true), (true, NULL), (false, true), (false, false), (NULL, false)) AS t(redeemed, refunded)";
    for (refunds, share) in [("kept", "0.6"), ("undone", "0.4"), ("left_out", "0.5")] {
        assert_eq!(of(&format!("coupon_redemption(redeemed, refunded, '{refunds}') {coupons}")).await, share);
    }
    assert_eq!(of("coupon_redemption(true, true, 'left_out')").await, "NULL");
    for (call, message) in [
        (
            "coupon_redemption(true, true, 'maybe')",
            "coupon_redemption: refunds must be 'kept', 'undone' or 'left_out', got \"maybe\"",
        ),
        (
            "coupon_redemption(true, true, NULL)",
            "coupon_redemption: refunds must be 'kept', 'undone' or 'left_out', got NULL",
        ),
        ("coupon_redemption(1, true, 'kept')", "coupon_redemption: redeemed must be true or false, got Int64"),
        ("coupon_redemption(true, 'no', 'kept')", "coupon_redemption: refunded must be true or false, got Utf8"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

#[tokio::test]
async fn a_commission_is_accrued_at_payment_and_payable_after_the_after_sales_period() {
    let amount = "CAST(199.90 AS DECIMAL(18, 2))";
    let accrued = |rate: &str, as_of: &str| {
        format!("commission_accrued({amount}, {rate}, TIMESTAMP '2024-03-01 23:59:59', DATE '{as_of}')")
    };
    // 199.90 * 0.075 = 14.9925.
    for rate in ["0.075", "CAST(0.075 AS DECIMAL(9, 4))"] {
        assert_eq!(of(&accrued(rate, "2024-03-01")).await, "14.99");
        assert_eq!(of(&accrued(rate, "2024-02-29")).await, "0.00");
    }
    assert_eq!(of(&accrued("-0.1", "2024-03-01")).await, "NULL");
    assert_eq!(of(&accrued("NULL", "2024-03-01")).await, "NULL");
    assert_eq!(of(&format!("commission_accrued({amount}, 0.05, NULL::timestamp, DATE '2024-03-01')")).await, "NULL");
    assert_eq!(of("commission_accrued(10, 0.5, DATE '2024-03-01', DATE '2024-03-01')").await, "5.0");
    let payable = |refund: &str, days: &str, as_of: &str| {
        format!("commission_payable({amount}, {refund}, 0.05, TIMESTAMP '2024-03-01 08:00:00', {days}, DATE '{as_of}')")
    };
    // Received on the 1st: the 2nd to the 8th are the seven days.
    assert_eq!(of(&payable("0", "7", "2024-03-08")).await, "0.00");
    assert_eq!(of(&payable("0", "7", "2024-03-09")).await, "10.00");
    assert_eq!(of(&payable("NULL", "0", "2024-03-02")).await, "10.00");
    assert_eq!(of(&payable("100.10", "7", "2024-03-09")).await, "4.99");
    assert_eq!(of(&payable("500", "7", "2024-03-09")).await, "0.00");
    assert_eq!(of(&payable("0", "-1", "2024-03-09")).await, "NULL");
    assert_eq!(of(&payable("0", "NULL", "2024-03-09")).await, "NULL");
    // Half past midnight in Shanghai is the day before in UTC.
    let local = "arrow_cast('2024-03-01T16:30:00', 'Timestamp(Second, Some(\"Asia/Shanghai\"))')";
    let received = format!("commission_payable({amount}, 0, 0.05, {local}, 7, DATE '2024-03-09')");
    assert_eq!(of(&received.replace("2024-03-01T16:30:00", "2024-03-01T16:30:00Z")).await, "0.00");
    for (call, message) in [
        (
            "commission_accrued('a', 1, DATE '2024-01-01', DATE '2024-01-01')",
            "commission_accrued: amount must be a number, got Utf8",
        ),
        ("commission_accrued(1, 1, 5, DATE '2024-01-01')", "commission_accrued: pay_time must be a date or timestamp"),
        (
            "commission_payable(1, 'x', 1, DATE '2024-01-01', 7, DATE '2024-01-01')",
            "commission_payable: refund must be a number, got Utf8",
        ),
        (
            "commission_payable(1, 0, 1, DATE '2024-01-01', 7.5, DATE '2024-01-01')",
            "commission_payable: days must be a whole number, got Float64",
        ),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}
