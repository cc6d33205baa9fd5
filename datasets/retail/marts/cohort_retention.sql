-- A row is one cohort of customers and one month after their first. Key: cohort_month, months_since. Reads: orders.
-- A cohort is the customers whose first sale (status paid, shipped or completed, up to as_of()) fell into cohort_month.
-- customers: those of them with a sale in the month that is months_since later. cohort_size: all of them. retention = customers / cohort_size.
CREATE VIEW mart.cohort_retention AS
WITH purchase_months AS (
  SELECT one_id, CAST(date_trunc('month', order_time) AS DATE) AS month
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id, CAST(date_trunc('month', order_time) AS DATE)
),
cohorts AS (
  SELECT one_id, min(month) AS cohort_month FROM purchase_months GROUP BY one_id
),
returns AS (
  SELECT
    cohorts.cohort_month,
    CAST(
      12 * (date_part('year', purchase_months.month) - date_part('year', cohorts.cohort_month))
        + date_part('month', purchase_months.month) - date_part('month', cohorts.cohort_month)
      AS BIGINT) AS months_since,
    count(*) AS customers
  FROM purchase_months
  JOIN cohorts ON cohorts.one_id = purchase_months.one_id
  GROUP BY 1, 2
)
SELECT
  cohort_month,
  months_since,
  customers,
  max(customers) OVER (PARTITION BY cohort_month) AS cohort_size,
  CAST(customers AS DOUBLE PRECISION) / max(customers) OVER (PARTITION BY cohort_month) AS retention
FROM returns;

COMMENT ON VIEW mart.cohort_retention IS 'One row per month of first purchase and months since: how many came back';
