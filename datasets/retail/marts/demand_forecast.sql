-- A row is one product. Key: sku_id. Reads: order_items up to as_of().
-- quantity_90, quantity_prior_90: pieces sold in the last 90 days and in the 90 before. forecast_30: pieces expected in the next 30 days, the mean of
-- the last 90 days' pace and that pace carried on with its trend, the trend bounded to halving and doubling. A yardstick to order by, not a model of seasons.
CREATE VIEW mart.demand_forecast AS
WITH sold AS (
  SELECT
    sku_id,
    max(product_name) AS product_name,
    coalesce(sum(quantity) FILTER (WHERE order_time > as_of() - INTERVAL '90 days'), 0) AS quantity_90,
    coalesce(sum(quantity) FILTER (WHERE order_time <= as_of() - INTERVAL '90 days'), 0) AS quantity_prior_90
  FROM order_items
  WHERE quantity > 0 AND paid_amount > 0 AND order_time > as_of() - INTERVAL '180 days' AND order_time <= as_of()
  GROUP BY sku_id
),
trends AS (
  SELECT
    sku_id,
    product_name,
    quantity_90,
    quantity_prior_90,
    least(2.0, greatest(0.5, coalesce(CAST(quantity_90 AS DOUBLE PRECISION) / nullif(quantity_prior_90, 0), 1.0))) AS trend
  FROM sold
)
SELECT sku_id, product_name, quantity_90, quantity_prior_90, trend, quantity_90 / 3.0 * (1 + trend) / 2 AS forecast_30
FROM trends;

COMMENT ON VIEW mart.demand_forecast IS 'One row per product: pieces sold lately and expected in the next 30 days';
