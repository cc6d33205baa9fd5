-- A row is one month, channel and attribution model. Key: month, channel, model. Reads: orders, interactions, channel_costs.
-- A conversion is an order with status paid, shipped or completed up to as_of(). Its value is paid_amount, refunds not deducted.
-- A touch is an interaction with a touchpoint (marketing) of the same customer in the 30 days up to the order. An order without one is its own touch:
-- its value goes to the channel where it was placed. So for each model attributed_revenue adds up to the paid revenue of the month.
-- model: how an order's value is shared out over its touches: first, last, last_non_direct, linear, position (40/20/40), time_decay (half-life 7 days).
-- month: first day of the order's (or cost's) month. orders, new_customers: the orders' and first orders' shares that fell to the channel,
-- fractions under models that share out. A first order is the earliest sale of a customer that the caller sees.
-- cost: channel_costs of the month, the same under each model. roi = (revenue - cost) / cost, roas = revenue / cost, cac = cost / new_customers, each
-- NULL where it would divide by nothing.
CREATE VIEW mart.channel_roi AS
WITH conversions AS (
  SELECT
    channel,
    order_id,
    one_id,
    order_time,
    order_time - INTERVAL '30 days' AS lookback_time,
    paid_amount,
    CASE
      WHEN one_id IS NOT NULL AND row_number() OVER (PARTITION BY one_id ORDER BY order_time, channel, order_id) = 1 THEN 1
      ELSE 0
    END AS is_first
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND order_time <= as_of()
),
touches AS (
  SELECT one_id, event_time, channel
  FROM interactions
  WHERE touchpoint IS NOT NULL AND one_id IS NOT NULL
),
paths AS (
  SELECT
    conversions.channel,
    conversions.order_id,
    conversions.order_time,
    conversions.paid_amount,
    conversions.is_first,
    coalesce(touches.channel, conversions.channel) AS touch_channel,
    coalesce(touches.event_time, conversions.order_time) AS touch_time
  FROM conversions
  LEFT JOIN touches
    ON touches.one_id = conversions.one_id
    AND touches.event_time <= conversions.order_time
    AND touches.event_time >= conversions.lookback_time
),
attributed AS (
  SELECT
    date_trunc('month', order_time) AS month,
    is_first,
    make_array(
      named_struct('model', 'first', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'first')),
      named_struct('model', 'last', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'last')),
      named_struct('model', 'last_non_direct', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'last_non_direct')),
      named_struct('model', 'linear', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'linear')),
      named_struct('model', 'position', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'position')),
      named_struct('model', 'time_decay', 'shares', attribute(touch_time, touch_channel, order_time, paid_amount, 'time_decay'))
    ) AS models
  FROM paths
  GROUP BY channel, order_id, order_time, paid_amount, is_first
),
by_model AS (
  SELECT month, is_first, unnest(models) AS answer FROM attributed
),
by_share AS (
  SELECT month, is_first, answer['model'] AS model, unnest(answer['shares']) AS share FROM by_model
),
credits AS (
  SELECT
    CAST(month AS DATE) AS month,
    share['channel'] AS channel,
    model,
    CAST(0 AS NUMERIC(18, 2)) AS cost,
    share['weight'] AS orders,
    share['value'] AS revenue,
    share['weight'] * is_first AS new_customers
  FROM by_share
),
debits AS (
  SELECT
    CAST(date_trunc('month', cost_date) AS DATE) AS month,
    channel,
    model.name AS model,
    cost,
    0 AS orders,
    CAST(0 AS NUMERIC(18, 2)) AS revenue,
    0 AS new_customers
  FROM channel_costs
  CROSS JOIN (VALUES ('first'), ('last'), ('last_non_direct'), ('linear'), ('position'), ('time_decay')) AS model (name)
  WHERE cost_date <= CAST(as_of() AS DATE)
),
entries AS (
  SELECT month, channel, model, cost, orders, revenue, new_customers FROM credits
  UNION ALL
  SELECT month, channel, model, cost, orders, revenue, new_customers FROM debits
),
totals AS (
  SELECT
    month,
    channel,
    model,
    sum(cost) AS cost,
    round(sum(orders), 6) AS orders,
    sum(revenue) AS attributed_revenue,
    round(sum(new_customers), 6) AS new_customers
  FROM entries
  GROUP BY month, channel, model
)
SELECT
  month,
  channel,
  model,
  cost,
  orders,
  attributed_revenue,
  new_customers,
  roi(attributed_revenue, cost) AS roi,
  roas(attributed_revenue, cost) AS roas,
  cac(cost, new_customers) AS cac
FROM totals;

COMMENT ON VIEW mart.channel_roi IS 'One row per month, channel and attribution model: cost, revenue that the channel brought, return on it, cost of a new customer';
