-- A row is one campaign and channel. Key: campaign_id, channel. Reads: orders, channel_costs.
-- Revenue is what was paid for the orders that name the campaign (status paid, shipped or completed, up to as_of()), refunds not deducted.
-- new_customers: their orders that are the customer's first sale, as far as the caller sees. cost: channel_costs of the campaign in the channel.
-- roi = (revenue - cost) / cost, roas = revenue / cost, cac = cost / new_customers, each NULL where it would divide by nothing.
CREATE VIEW mart.campaign_roi AS
WITH sales AS (
  SELECT
    campaign_id,
    channel,
    paid_amount,
    CASE
      WHEN one_id IS NOT NULL AND row_number() OVER (PARTITION BY one_id ORDER BY order_time, channel, order_id) = 1 THEN 1
      ELSE 0
    END AS is_first
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND order_time <= as_of()
),
entries AS (
  SELECT campaign_id, channel, CAST(0 AS NUMERIC(18, 2)) AS cost, 1 AS orders, paid_amount AS revenue, is_first AS new_customers
  FROM sales
  WHERE campaign_id IS NOT NULL
  UNION ALL
  SELECT campaign_id, channel, cost, 0 AS orders, CAST(0 AS NUMERIC(18, 2)) AS revenue, 0 AS new_customers
  FROM channel_costs
  WHERE campaign_id <> '' AND cost_date <= CAST(as_of() AS DATE)
),
totals AS (
  SELECT
    campaign_id,
    channel,
    sum(cost) AS cost,
    sum(orders) AS orders,
    sum(revenue) AS revenue,
    sum(new_customers) AS new_customers
  FROM entries
  GROUP BY campaign_id, channel
)
SELECT
  campaign_id,
  channel,
  cost,
  orders,
  revenue,
  new_customers,
  roi(revenue, cost) AS roi,
  roas(revenue, cost) AS roas,
  cac(cost, new_customers) AS cac
FROM totals;

COMMENT ON VIEW mart.campaign_roi IS 'One row per campaign and channel: cost, revenue of the orders that name it, return on it';
