//! repurchase_cycle, churn_risk, churn_level.

use super::support::{close, of, refusal, rows, session, value};

#[tokio::test]
async fn repurchase_cycle_measures_gaps_between_distinct_days() {
    // Days 1, 1, 11, 31: gaps 10 and 20, mean 15, sample deviation sqrt(50).
    let sql = "SELECT c['n_gaps'], c['mean_days'], c['sd_days'], c['last'] FROM (SELECT repurchase_cycle(ts) AS c FROM (VALUES
        (TIMESTAMP '2024-01-11 10:00:00'), (TIMESTAMP '2024-01-01 08:00:00'), (TIMESTAMP '2024-01-01 20:00:00'), (NULL), (TIMESTAMP '2024-01-31 09:30:00')) AS t(ts))";
    let answer = rows(&session(), sql).await;
    assert_eq!([&answer[0][0], &answer[0][1], &answer[0][3]], ["2", "15.0", "2024-01-31T09:30:00"]);
    close(&answer[0][2], 50f64.sqrt(), 1e-12);
}

#[tokio::test]
async fn one_purchase_has_no_gap_and_none_no_cycle() {
    let sql = "SELECT c['n_gaps'], c['mean_days'], c['sd_days'], c['last'], arrow_typeof(c['last']) FROM (SELECT repurchase_cycle(DATE '2024-01-31') AS c)";
    assert_eq!(rows(&session(), sql).await, [["0", "NULL", "NULL", "2024-01-31", "Date32"]]);
    assert_eq!(
        value(
            &session(),
            "SELECT repurchase_cycle(d)['n_gaps'] IS NULL FROM (SELECT DATE '2024-01-31' AS d) WHERE false"
        )
        .await,
        "true"
    );
    assert!(
        refusal("SELECT repurchase_cycle(5)")
            .await
            .contains("repurchase_cycle: ts must be a date or timestamp, got Int64")
    );
}

#[tokio::test]
async fn churn_risk_is_the_closed_form() {
    close(&of("churn_risk(4, 120, 60)").await, 1.0 - 0.75f64.powi(6), 1e-15);
    close(&of("churn_risk(0, 0, 30, 1, 30)").await, 0.5, 1e-15);
    assert_eq!(of("churn_risk(0, 0, NULL)").await, "NULL");
    assert_eq!(of("churn_risk(0, -1, 5)").await, "NULL");
    assert_eq!(of("churn_risk(0, 'NaN'::double, 5)").await, "NULL");
}

#[tokio::test]
async fn churn_risk_refuses_a_prior_that_is_none() {
    assert!(refusal("SELECT churn_risk(0, 0, 5, 0, 30)").await.contains("churn_risk: k0 must be above 0, got \"0\""));
    assert!(
        refusal("SELECT churn_risk(0, 0, 5, 1, -3)").await.contains("churn_risk: theta0 must be above 0, got \"-3\"")
    );
    assert!(refusal("SELECT churn_risk(0, 0)").await.contains("churn_risk: 3 or 5 arguments are needed, got 2"));
    assert!(refusal("SELECT churn_risk('x', 0, 1)").await.contains("churn_risk: n_gaps must be a number, got Utf8"));
}

#[tokio::test]
async fn churn_level_names_the_risk() {
    let sql = "SELECT churn_level(r), churn_level(r, 0.1, 0.2, 0.3) FROM (VALUES (0.0), (0.25), (0.5), (0.8), (0.95), (NULL), (1.5)) AS t(r)";
    let levels = [
        ["active", "active"],
        ["active", "at_risk"],
        ["cooling", "lost"],
        ["at_risk", "lost"],
        ["lost", "lost"],
        ["NULL", "NULL"],
        ["NULL", "NULL"],
    ];
    assert_eq!(rows(&session(), sql).await, levels);
    let refused = refusal("SELECT churn_level(0.5, 0.9, 0.8, 0.95)").await;
    assert!(
        refused.contains("churn_level: 0 <= cooling <= at_risk <= lost <= 1 must hold, got \"0.9\", \"0.8\", \"0.95\""),
        "{refused}"
    );
}
