-- A row is one month of first purchase. Key: month. Reads: orders with status paid, shipped or completed that name a customer, up to as_of().
-- Repurchase rate has three meanings, so there are three columns (repurchase_rate): by_orders, customers with two sales or more. By_days, customers
-- who bought on two days or more. Repeat_orders, the share of sales that are not the customer's first. within_30, within_90: customers whose second day
-- of purchase came at most that many days after the first (repurchase_within). Months too young to know it are too low there. All are shares from 0 to 1.
-- per_order, per_buyer: what these customers paid up to as_of(), for the number of their sales and for that of the customers.
CREATE VIEW mart.repurchase AS
WITH sales AS (
  SELECT one_id, order_time, paid_amount, min(order_time) OVER (PARTITION BY one_id) AS first_time
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
)
SELECT
  CAST(date_trunc('month', first_time) AS DATE) AS month,
  count(DISTINCT one_id) AS customers,
  count(*) AS orders,
  repurchase_rate(one_id, order_time, 'orders') AS by_orders,
  repurchase_rate(one_id, order_time, 'days') AS by_days,
  repurchase_rate(one_id, order_time, 'repeat_orders') AS repeat_orders,
  repurchase_within(one_id, order_time, 30, 'days') AS within_30,
  repurchase_within(one_id, order_time, 90, 'days') AS within_90,
  aov_per_order(paid_amount) AS per_order,
  aov_per_buyer(one_id, paid_amount) AS per_buyer
FROM sales
GROUP BY 1;

COMMENT ON VIEW mart.repurchase IS 'One row per month of first purchase: repurchase by each of its meanings, and what an order and a buyer bring';
