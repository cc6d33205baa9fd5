//! roi, roas, cac.

use super::support::{of, refusal};

#[tokio::test]
async fn quotients_of_decimals_are_decimals() {
    assert_eq!(of("roi(CAST(150 AS DECIMAL(18, 2)), CAST(100 AS DECIMAL(18, 2)))").await, "0.500000");
    assert_eq!(of("roi(CAST(50 AS DECIMAL(18, 2)), CAST(300 AS DECIMAL(18, 2)))").await, "-0.833333");
    assert_eq!(of("roas(CAST(200 AS DECIMAL(18, 2)), CAST(3 AS DECIMAL(18, 2)))").await, "66.666667");
    assert_eq!(of("cac(CAST(100 AS DECIMAL(18, 2)), 8)").await, "12.500000");
    assert_eq!(of("arrow_typeof(cac(CAST(100 AS DECIMAL(18, 2)), 8))").await, "Decimal128(38, 6)");
}

#[tokio::test]
async fn quotients_of_other_numbers_are_doubles() {
    assert_eq!(of("roi(150, 100)").await, "0.5");
    assert_eq!(of("roas(CAST(1 AS DECIMAL(18, 2)), 4.0::double)").await, "0.25");
}

#[tokio::test]
async fn zero_cost_and_null_give_null() {
    for call in [
        "roi(1, 0)",
        "roas(1, 0)",
        "cac(1, 0)",
        "roi(NULL, 1)",
        "roi(CAST(1 AS DECIMAL(18, 2)), CAST(0 AS DECIMAL(18, 2)))",
        "roas(0, 0)",
        "roi(1, NULL)",
    ] {
        assert_eq!(of(call).await, "NULL", "{call}");
    }
}

#[tokio::test]
async fn text_is_refused() {
    assert!(refusal("SELECT cac('x', 1)").await.contains("cac: cost must be a number, got Utf8"));
    assert!(refusal("SELECT cac(1, 'x')").await.contains("cac: new_customers must be a number, got Utf8"));
}

#[tokio::test]
async fn a_cost_is_paid_back_within_a_period() {
    for (call, expected) in [
        ("payback_period([10, 12, 15, 20], 30)", "2.533333333333333"),
        ("payback_period([10.5, 12.5], 23)", "2.0"),
        ("payback_period([30, -20, 5], 10)", "0.3333333333333333"),
        ("payback_period([10, NULL, 10], 15)", "2.5"),
        ("payback_period([1, 2], 5)", "NULL"),
        ("payback_period([1, 2], 0)", "NULL"),
        ("payback_period(NULL, 5)", "NULL"),
        ("ltv_cac(CAST(300 AS DECIMAL(18, 2)), CAST(100 AS DECIMAL(18, 2)))", "3.000000"),
        ("ltv_cac(300, 0)", "NULL"),
    ] {
        assert_eq!(of(call).await, expected, "{call}");
    }
    for (call, message) in [
        ("payback_period(5, 5)", "payback_period: margins must be a list of numbers, got Int64"),
        ("payback_period(['a'], 5)", "payback_period: a margin must be a number, got Utf8"),
        ("ltv_cac('a', 5)", "ltv_cac: ltv must be a number, got Utf8"),
    ] {
        assert!(refusal(&format!("SELECT {call}")).await.contains(message), "{call}");
    }
}
