//! Questions whose answer, to the byte, must be that of a lake without the hidden rows.

use super::super::support::{House, run};
use super::{bare, unordered};

/// Fails, or fails with a telling text, only where it meets a hidden row (or a hidden value of a masked column).
const TRAPS: &[&str] = &[
    "1 / (CASE WHEN team = 'wecom' THEN 1 ELSE 0 END)",
    "10 / (position('wecom' in team))",
    "CAST(CASE WHEN team = 'wecom' THEN '1' ELSE order_id END AS INTEGER)",
    "CAST(replace(team, 'wecom', '7') AS INTEGER)",
    "CAST(CASE WHEN team = 'wecom' THEN 1 ELSE 3000000000 END AS INTEGER)",
    "CAST(replace(team, 'wecom', '2024-01-01') AS DATE) - DATE '2024-01-01'",
];

/// Places in a statement; `{trap}` is an integer that can fail.
const PLACES: &[&str] = &[
    "SELECT count(*) FROM orders WHERE {trap} > 0",
    "SELECT count(*) FROM orders WHERE {trap} > 0 AND status = 'paid'",
    "SELECT count(*) FROM orders WHERE status = 'paid' OR {trap} > 0",
    "SELECT count(*) FROM orders WHERE NOT ({trap} = 0)",
    "SELECT team, {trap} AS told FROM orders",
    "SELECT sum({trap}) FROM orders",
    "SELECT order_id FROM orders ORDER BY {trap}, order_id",
    "SELECT order_id FROM orders ORDER BY {trap} DESC, order_id LIMIT 3",
    "SELECT count(*) FROM orders JOIN (VALUES (1), (2), (7), (10)) AS v (n) ON v.n = {trap}",
    "SELECT count(*) FROM (VALUES (1), (7)) AS v (n) LEFT JOIN orders ON {trap} = v.n",
    "SELECT sum(CASE WHEN paid_amount >= 0 THEN {trap} ELSE 0 END) FROM orders",
    "SELECT count(*) FILTER (WHERE {trap} > 0) FROM orders",
    "SELECT max(s) FROM (SELECT sum({trap}) OVER (PARTITION BY channel ORDER BY order_id) AS s FROM orders) AS w",
    "SELECT {trap} AS told, count(*) FROM orders GROUP BY 1 ORDER BY 1",
    "SELECT channel, count(*) FROM orders GROUP BY channel HAVING min({trap}) > 0 ORDER BY 1",
    "SELECT DISTINCT {trap} FROM orders ORDER BY 1",
    "WITH told AS (SELECT {trap} AS n FROM orders) SELECT count(*) FROM told WHERE n > 0",
    "SELECT count(*) FROM (SELECT one_id, {trap} AS n FROM orders) AS inner_orders WHERE n >= 0",
    "SELECT count(*) FROM channel_costs WHERE EXISTS (SELECT 1 FROM orders WHERE {trap} > 0 AND orders.channel = channel_costs.channel)",
    "SELECT count(*) FROM channel_costs WHERE channel IN (SELECT channel FROM orders WHERE {trap} > 0)",
    "SELECT (SELECT max({trap}) FROM orders) AS told",
    "SELECT {trap} FROM orders UNION SELECT 0 ORDER BY 1",
    "SELECT channel FROM orders WHERE {trap} > 0 INTERSECT SELECT channel FROM channel_costs ORDER BY 1",
    "SELECT channel FROM channel_costs EXCEPT SELECT channel FROM orders WHERE {trap} > 0 ORDER BY 1",
    "SELECT count(*) FROM orders AS o JOIN interactions AS i ON i.one_id = o.one_id AND {o.trap} > 0",
];

/// Shortcuts through statistics, files and counts.
const SHORTCUTS: &[&str] = &[
    "SELECT count(*) FROM orders",
    "SELECT count(1), count(one_id), count(DISTINCT one_id), count(DISTINCT team) FROM orders",
    "SELECT min(team), max(team), min(order_id), max(order_id), min(order_time), max(order_time) FROM orders",
    "SELECT min(paid_amount), max(paid_amount), sum(paid_amount), avg(paid_amount) FROM orders",
    "SELECT min(one_id), max(one_id) FROM orders",
    "SELECT count(*) FROM orders WHERE team = 'tmall'",
    "SELECT count(*) FROM orders WHERE team <> 'wecom'",
    "SELECT count(*) FROM orders WHERE team LIKE 't%' OR team IS NULL",
    "SELECT count(*) FROM orders WHERE channel = 'tmall' AND order_id LIKE '%1%'",
    "SELECT DISTINCT team FROM orders ORDER BY 1",
    "SELECT DISTINCT channel FROM order_items ORDER BY 1",
    "SELECT team, count(*) FROM orders GROUP BY team ORDER BY team",
    "SELECT count(*) FROM orders LIMIT 0",
    "SELECT count(*) FROM (SELECT 1 FROM orders LIMIT 100000) AS l",
    "SELECT count(*) FROM (SELECT 1 FROM orders OFFSET 100) AS l",
    "SELECT count(*) FROM (SELECT 1 FROM orders LIMIT 50 OFFSET 10) AS l",
    "SELECT order_id FROM orders ORDER BY paid_amount DESC, order_id LIMIT 5",
    "SELECT order_id FROM orders ORDER BY order_time DESC, order_id LIMIT 5 OFFSET 3",
    "SELECT count(*) FROM orders AS a JOIN orders AS b ON a.one_id = b.one_id",
    "SELECT count(*) FROM orders AS a FULL JOIN interactions AS b ON a.one_id = b.one_id",
    "SELECT count(*) FROM orders AS a LEFT JOIN customers AS c ON a.one_id = c.one_id WHERE c.one_id IS NULL",
    "SELECT count(*) FROM customers WHERE one_id NOT IN (SELECT one_id FROM orders WHERE one_id IS NOT NULL)",
    "SELECT count(*) FROM customers AS c WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.one_id = c.one_id)",
    "SELECT count(*), count(DISTINCT team), min(registered_at), max(registered_at) FROM customers",
    "SELECT count(*), min(one_id), max(one_id) FROM customers",
    "SELECT count(*) FROM order_items WHERE (channel, order_id) NOT IN (SELECT channel, order_id FROM orders)",
    "SELECT sum(cost), count(*), min(channel), max(channel) FROM channel_costs",
    "SELECT count(*), sum(value), min(event_time), max(event_time) FROM interactions",
    "SELECT median(paid_amount), stddev(CAST(paid_amount AS DOUBLE PRECISION)) > 0 FROM orders",
    "SELECT array_length(array_agg(DISTINCT team), 1), string_agg(DISTINCT team, ',') FROM orders",
    "SELECT row_number() OVER (ORDER BY order_id) AS n, order_id FROM orders ORDER BY n DESC LIMIT 1",
    "SELECT percent_rank() OVER (ORDER BY order_time, order_id) AS r FROM orders ORDER BY r DESC LIMIT 2",
    "SELECT ntile(4) OVER (ORDER BY order_time, order_id) AS q, order_id FROM orders ORDER BY order_id LIMIT 20",
    "SELECT as_of()",
    "SELECT * FROM mart.rfm ORDER BY one_id",
    "SELECT one_id, last_order_time, days_since, orders, churn_level, round(churn_risk, 6), round(p_alive, 4) FROM mart.churn_risk ORDER BY one_id",
    "SELECT month, channel, model, cost, round(orders, 4), attributed_revenue, round(new_customers, 4) FROM mart.channel_roi ORDER BY 1, 2, 3",
    "SELECT one_id, nickname, birth_date, phone_masked, frequency, monetary, refunded_orders, channels, last_channel, interactions FROM mart.customer_360 ORDER BY one_id",
    "SELECT * FROM mart.cohort_retention ORDER BY 1, 2, 3",
];

/// Masked columns, used everywhere that a column can be used.
const MASKED: &[&str] = &[
    "SELECT count(nickname), count(birth_date), count(phone_masked) FROM customers",
    "SELECT min(nickname), max(nickname), min(birth_date), max(birth_date), min(phone_masked), max(phone_masked) FROM customers",
    "SELECT count(*) FROM customers WHERE nickname IS NOT NULL",
    "SELECT count(*) FROM customers WHERE nickname LIKE '%a%'",
    "SELECT count(*) FROM customers WHERE phone_masked LIKE '138%'",
    "SELECT count(*) FROM customers WHERE birth_date < DATE '1990-01-01'",
    "SELECT count(*) FROM customers WHERE birth_date BETWEEN '1900-01-01' AND '2100-01-01'",
    "SELECT one_id FROM customers ORDER BY nickname, birth_date DESC, one_id LIMIT 10",
    "SELECT one_id FROM customers ORDER BY phone_masked DESC NULLS LAST, one_id LIMIT 10",
    "SELECT nickname, count(*) FROM customers GROUP BY nickname ORDER BY 1",
    "SELECT extract(year FROM birth_date) AS y, count(*) FROM customers GROUP BY 1 ORDER BY 1",
    "SELECT count(DISTINCT phone_masked) FROM customers",
    "SELECT count(*) FROM customers AS a JOIN customers AS b ON a.nickname = b.nickname",
    "SELECT count(*) FROM customers AS a JOIN customers AS b ON a.birth_date = b.birth_date AND a.one_id < b.one_id",
    "SELECT count(*) FROM customers WHERE 1 / length(nickname) >= 0",
    "SELECT count(CAST(nickname AS INTEGER)) FROM customers",
    "SELECT count(CAST(phone_masked AS BIGINT)) FROM customers",
    "SELECT rank() OVER (ORDER BY nickname) AS r, count(*) FROM customers GROUP BY nickname ORDER BY 1",
    "SELECT coalesce(nickname, 'none') AS n, count(*) FROM customers GROUP BY 1",
    "SELECT count(*) FROM customers WHERE nickname IN (SELECT nickname FROM customers)",
    "SELECT count(*) FROM customers WHERE nickname ~ '^.'",
    "SELECT count(*) FILTER (WHERE phone_masked <> '') FROM customers",
    "SELECT max(CASE WHEN birth_date > '1980-01-01' THEN 1 ELSE 0 END) FROM customers",
    "SELECT lag(nickname) OVER (ORDER BY one_id) AS before, one_id FROM customers ORDER BY one_id LIMIT 5",
    "WITH c AS (SELECT nickname AS n FROM customers) SELECT count(n) FROM c",
    "SELECT count(*) FROM customers CROSS JOIN LATERAL (SELECT customers.nickname AS n) AS l WHERE n IS NOT NULL",
    "SELECT nickname FROM customers UNION SELECT phone_masked FROM customers ORDER BY 1",
    "SELECT count(*) FROM customers AS c WHERE c.phone_masked = (SELECT max(phone_masked) FROM customers)",
];

async fn equal(questions: impl IntoIterator<Item = String>) {
    let questions: Vec<String> = questions.into_iter().collect();
    let (walled, bare) = (House::shared().await.doors("wecom").await, bare().await.doors("admin").await);
    for (mut walled, mut bare) in walled.into_iter().zip(bare) {
        let mut faults = Vec::new();
        let (mut answered, mut refused) = (0, 0);
        for sql in &questions {
            let (got, wanted) = (unordered(walled.ask(sql).await), unordered(bare.ask(sql).await));
            match &wanted {
                Ok(_) => answered += 1,
                Err(_) => refused += 1,
            }
            if got != wanted {
                let brief = |told: String| told.chars().take(600).collect::<String>();
                let (got, wanted) = (brief(format!("{got:?}")), brief(format!("{wanted:?}")));
                faults.push(format!("{sql}\n  walled {got}\n  bare   {wanted}"));
            }
        }
        println!("{}: {answered} answered, {refused} refused by both", walled.name());
        let door = walled.name();
        assert!(
            faults.is_empty(),
            "{door}: {} questions tell more than they may:\n{}",
            faults.len(),
            faults.join("\n")
        );
        // Questions that no lake answers would prove nothing.
        assert!(answered > 3 * refused, "{answered} answered, {refused} refused");
    }
}

#[test]
fn an_expression_that_fails_on_hidden_rows_fails_nowhere() {
    run(equal(TRAPS.iter().flat_map(|trap| {
        PLACES.iter().map(move |place| {
            let qualified = trap.replace("team", "o.team").replace("order_id", "o.order_id");
            place.replace("{trap}", trap).replace("{o.trap}", &qualified)
        })
    })));
}

#[test]
fn counts_extremes_and_marts_know_only_visible_rows() {
    run(equal(SHORTCUTS.iter().map(|sql| (*sql).to_owned())));
}

#[test]
fn a_masked_column_is_its_mask_wherever_it_stands() {
    run(equal(MASKED.iter().map(|sql| (*sql).to_owned())));
}

#[test]
fn the_traps_do_spring_where_the_rows_are_seen() {
    run(async {
        let everything = House::shared().await.wire("hq").await;
        for trap in TRAPS {
            let told = everything.ask(&format!("SELECT max({trap}) FROM orders")).await;
            assert!(told.is_err(), "{trap} is no trap: {told:?}");
        }
    });
}

/// A text that fails on visible rows too must quote a visible one.
#[test]
fn an_error_quotes_no_hidden_value() {
    run(async {
        for mut walled in House::shared().await.doors("wecom").await {
            for sql in [
                "SELECT CAST(team || ':' || order_id AS BIGINT) FROM orders",
                "SELECT count(*) FROM orders WHERE CAST(team AS INTEGER) = 1",
                "SELECT CAST(team AS DATE) FROM orders ORDER BY 1",
                "SELECT CAST(team AS BOOLEAN) FROM order_items",
                "SELECT sum(CAST(channel AS NUMERIC(10, 2))) FROM interactions",
                "SELECT count(*) FROM channel_costs WHERE CAST(team AS TIMESTAMPTZ) > now()",
            ] {
                let told = walled.ask(sql).await.unwrap_err();
                let text = format!("{told:?}").to_lowercase();
                for hidden in ["tmall", "douyin", "jd", "store"] {
                    assert!(!text.contains(hidden), "{sql}: {told:?}");
                }
            }
        }
    });
}

/// Visible rows out of order: only their number and that they are visible is promised.
#[test]
fn a_limit_without_an_order_gives_visible_rows() {
    run(async {
        for mut walled in House::shared().await.doors("wecom").await {
            for sql in ["SELECT team FROM orders LIMIT 7", "SELECT team FROM orders OFFSET 5 LIMIT 7"] {
                let rows = walled.ask(sql).await.unwrap();
                assert_eq!(rows.len(), 7, "{sql}");
                assert!(rows.iter().all(|row| row[0].as_deref() == Some("wecom")), "{sql}: {rows:?}");
            }
        }
    });
}
