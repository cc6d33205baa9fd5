-- A row is one customer of the member file or with a sale up to as_of(). Key: one_id. Reads: customers, orders.
-- A sale is an order with status paid, shipped or completed that names a customer.
-- stage: lead (never bought), first_purchase (one sale in the last 60 days), repeat (two or three sales, the last within 120 days),
-- loyal (four sales or more, the last within 120 days), at_risk (last sale 61 to 180 days ago for one sale, 121 to 240 for more),
-- dormant (up to 365 days ago), lost (longer ago). The days are this view's own: the trade has no fixed ones.
CREATE VIEW mart.lifecycle AS
WITH buyers AS (
  SELECT one_id, min(order_time) AS first_order_time, max(order_time) AS last_order_time, count(*) AS orders
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
people AS (
  SELECT
    coalesce(customers.one_id, buyers.one_id) AS one_id,
    buyers.first_order_time,
    buyers.last_order_time,
    coalesce(buyers.orders, 0) AS orders,
    CAST(as_of() AS DATE) - CAST(buyers.last_order_time AS DATE) AS days_since
  FROM customers
  FULL JOIN buyers ON buyers.one_id = customers.one_id
)
SELECT
  one_id,
  first_order_time,
  last_order_time,
  orders,
  days_since,
  CASE
    WHEN orders = 0 THEN 'lead'
    WHEN days_since > 365 THEN 'lost'
    WHEN orders = 1 AND days_since <= 60 THEN 'first_purchase'
    WHEN orders = 1 AND days_since <= 180 THEN 'at_risk'
    WHEN orders = 1 THEN 'dormant'
    WHEN days_since > 240 THEN 'dormant'
    WHEN days_since > 120 THEN 'at_risk'
    WHEN orders >= 4 THEN 'loyal'
    ELSE 'repeat'
  END AS stage
FROM people;

COMMENT ON VIEW mart.lifecycle IS 'One row per customer: the stage from lead to lost';
