//! A call of every aggregate, over the columns `id`, `ts`, `amount`, `as_of`, `conversion`, `channel`, `x` and sets `bitmap`, `hll`,
//! `theta`.

pub const AGGREGATES: &[&str] = &[
    "rfm(ts, amount, as_of)",
    "rfm_summary(ts, amount, as_of, 'week')",
    "repurchase_cycle(ts)",
    "bgnbd_fit(x, x, x + 2)",
    "mbgnbd_fit(x, x, x + 2)",
    "pnbd_fit(x, x, x + 2)",
    "gg_fit(x, x + 1)",
    "bgbb_fit(x, x, x + 2)",
    "window_funnel(1000000, 'strict_once', ts, x < 3, x < 5, channel = 'ads')",
    "funnel_step_times(10000000, 'strict_order', ts, x < 3, x < 5, channel = 'ads')",
    "sequence_count('(?1)(?t<=5000000).*(?2)', ts, x < 3, x < 5)",
    "sequence_match('(?1)(?3)', ts, x < 3, x < 5, channel = 'ads')",
    "retention(x < 3, channel = 'mail', x = 5)",
    "markov_attribution(ARRAY[channel, CASE WHEN x > 2 THEN 'shop' END], x, amount, 2, 2)",
    "shapley_attribution(ARRAY[channel, CASE WHEN x > 2 THEN 'shop' END], x, amount)",
    "km_survival(x, channel = 'ads', 'log-log')",
    "logrank_test(x, channel = 'ads', x % 2)",
    "srm_test(channel)",
    "repurchase_rate(channel, ts, 'days')",
    "repurchase_within(x, ts, 30, 'days')",
    "bitmap_build(x * 1000000007)",
    "market_basket(ARRAY[channel, CASE WHEN x > 2 THEN 'shop' END, x::varchar], 2, 0.3)",
    "path_flows(ts, channel, 'ads', 3, true)",
    "attribute(ts, channel, conversion, CAST(id AS DECIMAL(18, 2)), 'time_decay', 300)",
    "touch_path(ts, channel)",
    "cohort_periods(ts, 'month')",
    "customer_journeys(ts, channel, CASE WHEN x > 3 THEN amount END, 90)",
    "bitmap_union_agg(bitmap)",
    "bitmap_intersect_agg(bitmap)",
    "theta_build(ts::varchar)",
    "theta_merge(theta)",
    "aov_per_order(amount)",
    "aov_per_buyer(channel, amount)",
    "coupon_redemption(x > 2, channel = 'ads', 'undone')",
];

/// Aggregates of doubles that are merged by formulas, whose last digits depend on the way.
pub const ROUNDED: &[(&str, &str)] = &[
    ("ab_ztest(x > 2, id % 2 = 0)", "statistic"),
    ("welch_ttest(x, amount > 400)", "hi"),
    ("cuped_ttest(x, amount, x > 2)", "p_value"),
    ("msprt(x, amount > 400, 0.5)", "statistic"),
];

/// What is estimated from merged sketches does not depend on the way, though their bytes do.
pub const ESTIMATED: &[&str] =
    &["hll_estimate(hll_build(ts::varchar))", "hll_estimate(hll_build(x))", "hll_estimate(hll_merge(hll))"];
