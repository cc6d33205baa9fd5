-- A row is one month and guide. Key: month, guide_id. Reads: orders, customers.
-- Promoting and serving are paid apart, so they are counted apart: an order counts as served for guide_id and as promoted for promoter_guide_id.
-- Amounts are what was paid for sales (status paid, shipped or completed, up to as_of()), refunds not deducted.
-- bound_customers: customers of the member file bound to the guide today, the same in each month.
CREATE VIEW mart.guide_performance AS
WITH entries AS (
  SELECT
    CAST(date_trunc('month', order_time) AS DATE) AS month,
    guide_id,
    one_id,
    1 AS served_orders,
    paid_amount AS served_amount,
    0 AS promoted_orders,
    CAST(0 AS NUMERIC(18, 2)) AS promoted_amount
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND guide_id IS NOT NULL AND order_time <= as_of()
  UNION ALL
  SELECT
    CAST(date_trunc('month', order_time) AS DATE) AS month,
    promoter_guide_id AS guide_id,
    one_id,
    0 AS served_orders,
    CAST(0 AS NUMERIC(18, 2)) AS served_amount,
    1 AS promoted_orders,
    paid_amount AS promoted_amount
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND promoter_guide_id IS NOT NULL AND order_time <= as_of()
),
bindings AS (
  SELECT owner_guide_id AS guide_id, count(*) AS bound_customers
  FROM customers
  WHERE owner_guide_id IS NOT NULL
  GROUP BY owner_guide_id
),
totals AS (
  SELECT
    month,
    guide_id,
    count(DISTINCT one_id) AS buyers,
    sum(served_orders) AS served_orders,
    sum(served_amount) AS served_amount,
    sum(promoted_orders) AS promoted_orders,
    sum(promoted_amount) AS promoted_amount
  FROM entries
  GROUP BY month, guide_id
)
SELECT
  totals.month,
  totals.guide_id,
  totals.buyers,
  totals.served_orders,
  totals.served_amount,
  totals.promoted_orders,
  totals.promoted_amount,
  coalesce(bindings.bound_customers, 0) AS bound_customers
FROM totals
LEFT JOIN bindings ON bindings.guide_id = totals.guide_id;

COMMENT ON VIEW mart.guide_performance IS 'One row per month and guide: what she served and what she promoted';
