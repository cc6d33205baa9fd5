//! ab_ztest, welch_ttest, cuped_ttest, msprt, srm_test.

use super::support::{close, csv, of, refusal, rows, session};

fn data(file: &str) -> String {
    format!("{}/tests/data/experiments/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// scipy and statsmodels, by tests/data/experiments/make.py.
#[tokio::test]
async fn tests_find_what_scipy_and_statsmodels_find() {
    let session = session();
    session.register_csv("persons", &data("data.csv"), Default::default()).await.unwrap();
    for line in csv(&std::fs::read_to_string(data("expected.csv")).unwrap()) {
        let call = match line[0].as_str() {
            "ab_ztest" => "ab_ztest(success, arm)",
            "welch_ttest" => "welch_ttest(y, arm)",
            "cuped_ttest" => "cuped_ttest(y, x, arm)",
            "msprt" => "msprt(y, arm, 30)",
            "srm_test" => "srm_test(arm)",
            "srm_test_meant" => "srm_test(arm, [2, 3])",
            other => panic!("{other} is no test"),
        };
        let found = rows(&session, &format!("SELECT {call}['{}'] FROM persons", line[1])).await;
        let expected: f64 = line[2].parse().unwrap();
        close(&found[0][0], expected, 1e-9 * expected.abs());
    }
}

#[tokio::test]
async fn the_first_name_is_the_control() {
    let sql = "SELECT t['control'], t['treatment'], t['n_control'], t['n_treatment'], t['mean_control'], t['mean_treatment'], t['diff'], t['lift']
        FROM (SELECT welch_ttest(y, arm) AS t FROM (VALUES (3, 'new'), (1, 'base'), (3, 'base'), (5, 'new'), (7, 'new')) AS v(y, arm))";
    assert_eq!(rows(&session(), sql).await[0], ["base", "new", "2", "3", "2.0", "5.0", "3.0", "1.5"]);
}

#[tokio::test]
async fn what_does_not_tell_gives_null() {
    for (call, expected) in [
        ("ab_ztest(true, a) FROM (VALUES (NULL)) AS t(a)", "NULL"),
        ("welch_ttest(1, a) FROM (VALUES (1), (1)) AS t(a)", "NULL"),
        ("welch_ttest(1, a)['p_value'] FROM (VALUES (1), (1), (2), (2)) AS t(a)", "NULL"),
        ("welch_ttest(y, a)['p_value'] FROM (VALUES (1, 1), (2, 2), (3, 2)) AS t(y, a)", "NULL"),
        ("cuped_ttest(y, NULL, a) FROM (VALUES (1, 1), (2, 2)) AS t(y, a)", "NULL"),
        ("cuped_ttest(y, 5, a)['theta'] FROM (VALUES (1, 1), (2, 1), (2, 2), (3, 2)) AS t(y, a)", "0.0"),
        ("msprt(1, a, 1)['p_value'] FROM (VALUES (1), (1), (2), (2)) AS t(a)", "NULL"),
        ("ab_ztest(true, a)['p_value'] FROM (VALUES (1), (1), (2), (2)) AS t(a)", "NULL"),
        ("srm_test(a) FROM (VALUES (NULL)) AS t(a)", "NULL"),
        ("srm_test('a')", "{chi2: NULL, df: 0, p_value: NULL, n: 1}"),
    ] {
        assert_eq!(of(call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_refused() {
    for (call, message) in [
        ("ab_ztest(1, 'a')", "ab_ztest: success must be true or false, got Int64"),
        ("welch_ttest('a', 'a')", "welch_ttest: y must be a number, got Utf8"),
        ("welch_ttest(1, 1.5)", "welch_ttest: arm must be text, a whole number or a boolean, got Float64"),
        (
            "welch_ttest(1, i) FROM (VALUES (1), (2), (3)) AS t(i)",
            "welch_ttest: two arms are compared, got 3 in a group",
        ),
        ("msprt(1, 'a', 0)", "msprt: tau2 must be above 0, got \"0"),
        ("msprt(1, 'a', NULL)", "msprt: tau2 must be above 0, got NULL"),
        ("srm_test('a', [1, 2])", "srm_test: expected has 2 shares, a group has 1 arms"),
        ("srm_test('a', [0])", "srm_test: expected must be a list of shares above 0"),
        ("srm_test('a', 0.5)", "srm_test: expected must be a list of shares, got Float64"),
        (
            "srm_test(i) FROM generate_series(1, 101) AS g(i)",
            "srm_test: arm has more than 100 different values in a group",
        ),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}
