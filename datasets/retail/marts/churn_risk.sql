-- A row is one customer with at least one sale up to as_of(). Key: one_id. Reads: orders.
-- A sale is an order with status paid, shipped or completed that names a customer.
-- days_since: local days from the last sale to as_of(). orders: number of sales. mean_gap_days: mean days between purchase days, NULL for one-time buyers.
-- churn_risk: chance that the customer's own repurchase cycle, drawn towards the common one, has run out. churn_level: its name, from active to lost.
-- p_alive: chance that the customer still buys, by a BG/NBD model fitted to the customers that the caller sees (bgnbd_fit).
-- The model works in whole weeks and gives 1 to every one-time buyer. It is NULL where it cannot be fitted to so few customers.
CREATE VIEW mart.churn_risk AS
WITH histories AS (
  SELECT
    one_id,
    max(order_time) AS last_order_time,
    count(*) AS orders,
    rfm(order_time, paid_amount, as_of()) AS summary,
    repurchase_cycle(order_time) AS cycle,
    rfm_summary(order_time, paid_amount, as_of(), 'week') AS weeks
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
measures AS (
  SELECT
    one_id,
    last_order_time,
    summary['recency_days'] AS days_since,
    orders,
    cycle['n_gaps'] AS n_gaps,
    cycle['mean_days'] AS mean_gap_days,
    CAST(weeks['frequency'] AS DOUBLE PRECISION) AS x,
    round(weeks['recency']) AS t_x,
    round(weeks['t']) AS t
  FROM histories
),
fits AS (
  SELECT bgnbd_fit(x, t_x, t) AS fit FROM measures
),
risks AS (
  SELECT
    one_id,
    last_order_time,
    days_since,
    orders,
    mean_gap_days,
    churn_risk(n_gaps, coalesce(n_gaps * mean_gap_days, 0), days_since) AS churn_risk,
    bgnbd_palive((SELECT fit FROM fits WHERE fit['converged']), x, t_x, t) AS p_alive
  FROM measures
)
SELECT one_id, last_order_time, days_since, orders, mean_gap_days, churn_risk, churn_level(churn_risk) AS churn_level, p_alive
FROM risks;

COMMENT ON VIEW mart.churn_risk IS 'One row per customer: how far the time since the last order outruns the usual gap, and the chance to still be a buyer';
