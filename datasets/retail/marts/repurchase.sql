-- A row is one month of first purchase. Key: month. Reads: orders with status paid, shipped or completed that name a customer, up to as_of().
-- Repurchase rate has three meanings, so there are three columns: by_orders, customers with two sales or more. By_days, customers who bought on two
-- days or more. Repeat_orders, the share of sales that are not the customer's first. within_30, within_90: customers whose second day of purchase
-- came at most that many days after the first. Months too young to know it are too low there. All are shares from 0 to 1 of `customers` (or of sales).
CREATE VIEW mart.repurchase AS
WITH days AS (
  SELECT one_id, CAST(order_time AS DATE) AS day, count(*) AS orders
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id, CAST(order_time AS DATE)
),
firsts AS (
  SELECT one_id, min(day) AS first_day FROM days GROUP BY one_id
),
people AS (
  SELECT
    days.one_id,
    firsts.first_day,
    sum(days.orders) AS orders,
    count(*) AS purchase_days,
    min(CASE WHEN days.day > firsts.first_day THEN days.day - firsts.first_day END) AS days_to_second
  FROM days
  JOIN firsts ON firsts.one_id = days.one_id
  GROUP BY days.one_id, firsts.first_day
)
SELECT
  CAST(date_trunc('month', first_day) AS DATE) AS month,
  count(*) AS customers,
  sum(orders) AS orders,
  CAST(count(*) FILTER (WHERE orders >= 2) AS DOUBLE PRECISION) / count(*) AS by_orders,
  CAST(count(*) FILTER (WHERE purchase_days >= 2) AS DOUBLE PRECISION) / count(*) AS by_days,
  CAST(sum(orders) - count(*) AS DOUBLE PRECISION) / sum(orders) AS repeat_orders,
  CAST(count(*) FILTER (WHERE days_to_second <= 30) AS DOUBLE PRECISION) / count(*) AS within_30,
  CAST(count(*) FILTER (WHERE days_to_second <= 90) AS DOUBLE PRECISION) / count(*) AS within_90
FROM people
GROUP BY 1;

COMMENT ON VIEW mart.repurchase IS 'One row per month of first purchase: repurchase by each of its meanings';
