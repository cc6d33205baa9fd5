//! km_survival, logrank_test, lifecycle_stage.

use std::fmt::Write;

use datafusion::prelude::SessionContext;

use super::support::{close, of, refusal, rows, session};

/// The table `lung(days, died, sex)`.
async fn register_lung(session: &SessionContext) {
    let text = std::fs::read_to_string(format!("{}/tests/data/lung/lung.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut values = String::new();
    for patient in text.split_whitespace() {
        let (days, sex) = patient.split_at(patient.len() - 1);
        write!(values, "({}, {}, '{sex}'),", days.trim_end_matches('+'), !days.ends_with('+')).unwrap();
    }
    let sql =
        format!("CREATE TABLE lung AS SELECT * FROM (VALUES {}) AS t(days, died, sex)", values.trim_end_matches(','));
    session.sql(&sql).await.unwrap().collect().await.unwrap();
}

/// R 4: `survfit(Surv(time, status) ~ 1, data = lung)` prints n 228, events 165, median 310, 0.95LCL 285, 0.95UCL 363, and in its summary
/// the lines of times 5, 11, 12 and 13.
#[tokio::test]
async fn survival_of_the_lung_data_is_that_of_r() {
    let session = session();
    register_lung(&session).await;
    let points = "(SELECT unnest(km_survival(days, died)) AS k FROM lung)";
    let sql = format!(
        "SELECT sum(k['events']), max(k['at_risk']), min(k['t']) FILTER (WHERE k['s'] <= 0.5), min(k['t']) FILTER (WHERE k['lo'] <= 0.5),
        min(k['t']) FILTER (WHERE k['hi'] <= 0.5) FROM {points}"
    );
    assert_eq!(rows(&session, &sql).await[0], ["165", "228", "310.0", "285.0", "363.0"]);
    for (t, at_risk, events, s, lo, hi) in [
        (5, "228", "1", 0.9956, 0.9871, 1.0),
        (11, "227", "3", 0.9825, 0.9656, 1.0),
        (12, "224", "1", 0.9781, 0.9592, 0.997),
        (13, "223", "2", 0.9693, 0.9472, 0.992),
    ] {
        let sql =
            format!("SELECT k['at_risk'], k['events'], k['s'], k['lo'], k['hi'] FROM {points} WHERE k['t'] = {t}");
        let point = rows(&session, &sql).await.remove(0);
        assert_eq!(point[..2], [at_risk, events]);
        close(&point[2], s, 5e-5);
        close(&point[3], lo, 1.5e-4);
        close(&point[4], hi, 5e-4);
    }
    // lifelines 0.30.3 gives these bounds of the log-log scale, to six digits.
    let sql = "SELECT k['s'], k['lo'], k['hi'] FROM (SELECT unnest(km_survival(days, died, 'log-log')) AS k FROM lung) WHERE k['t'] IN (54, 182, 288) ORDER BY k['t']";
    let expected = [[0.938596, 0.898519, 0.963168], [0.708054, 0.643995, 0.762738], [0.541900, 0.471978, 0.606566]];
    for (point, expected) in rows(&session, sql).await.iter().zip(expected) {
        for (found, expected) in point.iter().zip(expected) {
            close(found, expected, 1e-6);
        }
    }
}

/// R: `survdiff(Surv(time, status) ~ sex, data = lung)` prints chisq 10.3 on 1 degree of freedom, p 0.001; lifelines the digits.
#[tokio::test]
async fn the_log_rank_test_of_the_lung_data_is_that_of_r() {
    let session = session();
    register_lung(&session).await;
    let sql =
        "SELECT t['chi2'], t['p_value'], t['df'], t['n'] FROM (SELECT logrank_test(days, died, sex) AS t FROM lung)";
    let test = rows(&session, sql).await.remove(0);
    close(&test[0], 10.326741954885637, 1e-10);
    close(&test[1], 0.0013111645203554858, 1e-13);
    assert_eq!(test[2..], ["1", "228"]);
    // lifelines: multivariate_logrank_test(time, time % 3, status), arms without a meaning.
    let sql = "SELECT t['chi2'], t['p_value'], t['df'] FROM (SELECT logrank_test(days, died, days % 3) AS t FROM lung)";
    let test = rows(&session, sql).await.remove(0);
    close(&test[0], 0.8457689133392476, 1e-9);
    close(&test[1], 0.6551543274516383, 1e-10);
    assert_eq!(test[2], "2");
}

#[tokio::test]
async fn what_does_not_tell_gives_null() {
    assert_eq!(of("km_survival(d, e) FROM (VALUES (NULL, true), (-1, true), (1, NULL)) AS t(d, e)").await, "NULL");
    assert_eq!(
        of("logrank_test(d, e, 'a') FROM (VALUES (NULL, true), (-1, true), (1, NULL)) AS t(d, e)").await,
        "NULL"
    );
    assert_eq!(
        of("logrank_test(d, true, 'a') FROM (VALUES (1), (2)) AS t(d)").await,
        "{chi2: NULL, df: 0, p_value: NULL, n: 2}"
    );
    assert_eq!(
        of("logrank_test(1, false, a) FROM (VALUES ('a'), ('b')) AS t(a)").await,
        "{chi2: NULL, df: 1, p_value: NULL, n: 2}"
    );
    // Nobody is left: there are no bounds.
    assert_eq!(of("km_survival(d, true) FROM (VALUES (1), (2)) AS t(d)").await.matches("lo: NULL").count(), 1);
    for (call, message) in [
        ("km_survival(1, true, 'plain')", "km_survival: ci must be 'log' or 'log-log', got \"plain\""),
        ("km_survival(1, 1)", "km_survival: event must be true or false, got Int64"),
        ("km_survival('a', true)", "km_survival: duration must be a number, got Utf8"),
        ("logrank_test(1, true, 1.5)", "logrank_test: arm must be text, a whole number or a boolean, got Float64"),
        (
            "logrank_test(i, true, i) FROM generate_series(1, 101) AS g(i)",
            "logrank_test: arm has more than 100 different values in a group",
        ),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

#[tokio::test]
async fn a_stage_begins_after_its_threshold() {
    let stage = |first: &str, last: &str, n: &str, rest: &str| {
        format!("lifecycle_stage(DATE '{first}', DATE '{last}', {n}, DATE '2024-12-31'{rest})")
    };
    for (call, expected) in [
        ("lifecycle_stage(NULL, NULL, 0, DATE '2024-12-31')".to_owned(), "lead"),
        (stage("2024-12-01", "2024-12-01", "1", ""), "new"),
        (stage("2024-11-30", "2024-11-30", "1", ""), "first_purchase"),
        (stage("2024-01-01", "2024-10-02", "2", ""), "repeat"),
        (stage("2024-01-01", "2024-10-02", "5", ""), "loyal"),
        (stage("2024-01-01", "2024-10-01", "5", ""), "at_risk"),
        (stage("2024-01-01", "2024-07-03", "5", ""), "dormant"),
        (stage("2023-01-01", "2024-01-06", "5", ""), "dormant"),
        (stage("2023-01-01", "2024-01-05", "5", ""), "lost"),
        (stage("2024-01-01", "2024-12-01", "5", ", 10"), "dormant"),
        (stage("2024-12-31", "2024-12-30", "2", ""), "NULL"),
        (stage("2024-12-31", "2025-01-01", "2", ""), "NULL"),
        (stage("2024-12-01", "2024-12-01", "-1", ""), "NULL"),
        (stage("2024-12-01", "2024-12-01", "NULL", ""), "NULL"),
        ("lifecycle_stage(NULL, NULL, 1, DATE '2024-12-31')".to_owned(), "NULL"),
    ] {
        assert_eq!(of(&call).await, expected, "{call}");
    }
    let refused = refusal(&format!("SELECT {}", stage("2024-12-01", "2024-12-01", "1", ", 0"))).await;
    assert!(refused.contains("lifecycle_stage: cycle must be above 0, got \"0\""), "{refused}");
}
