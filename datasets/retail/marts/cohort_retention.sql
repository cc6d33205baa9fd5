-- A row is one cohort of customers and one month after their first. Key: cohort_month, months_since. Reads: orders.
-- A cohort is the customers whose first sale (status paid, shipped or completed, up to as_of()) fell into cohort_month (cohort_periods).
-- customers: those of them with a sale in the month that is months_since later. cohort_size: all of them. retention = customers / cohort_size.
CREATE VIEW mart.cohort_retention AS
WITH people AS (
  SELECT one_id, cohort_periods(order_time, 'month') AS months
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
returns AS (
  SELECT months['cohort'] AS cohort_month, unnest(months['periods']) AS months_since FROM people
),
counts AS (
  SELECT cohort_month, CAST(months_since AS BIGINT) AS months_since, count(*) AS customers FROM returns GROUP BY cohort_month, months_since
)
SELECT
  cohort_month,
  months_since,
  customers,
  max(customers) OVER (PARTITION BY cohort_month) AS cohort_size,
  CAST(customers AS DOUBLE PRECISION) / max(customers) OVER (PARTITION BY cohort_month) AS retention
FROM counts;

COMMENT ON VIEW mart.cohort_retention IS 'One row per month of first purchase and months since: how many came back';
