-- A row is one month, channel and attribution model. Key: month, channel, model. Reads: orders, interactions, channel_costs.
-- A conversion is an order with status paid, shipped or completed up to as_of(). Its value is paid_amount, refunds not deducted.
-- A touch is an interaction with a touchpoint (marketing) of the same customer in the 30 days up to the order. An order without one is its own touch:
-- its value goes to the channel where it was placed. So for each model attributed_revenue adds up to the paid revenue of the month.
-- model: how an order's value is shared out over its touches: first, last, last_non_direct, linear, position (40/20/40), time_decay (half-life 7 days).
-- markov and shapley look at all orders of a month at once: at journeys, which begin anew after each order, and markov at those that led to none, too.
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
  WHERE touchpoint IS NOT NULL AND one_id IS NOT NULL AND event_time <= as_of()
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
-- An order of nobody is a person of its own.
steps AS (
  SELECT CAST(one_id AS TEXT) AS person, event_time AS step_time, channel, CAST(NULL AS NUMERIC(18, 2)) AS paid_amount FROM touches
  UNION ALL
  SELECT coalesce(CAST(one_id AS TEXT), channel || '/' || order_id) AS person, order_time AS step_time, channel, paid_amount FROM conversions
),
by_person AS (
  SELECT person, unnest(customer_journeys(step_time, channel, paid_amount, INTERVAL '30 days')) AS journey FROM steps GROUP BY person
),
journeys AS (
  SELECT
    date_trunc('month', journey['ts']) AS month,
    journey['path'] AS path,
    journey['conversions'] AS orders,
    journey['value'] AS revenue,
    journey['nulls'] AS nulls,
    CASE
      WHEN journey['conversions'] = 1 AND strpos(person, '/') = 0
        AND row_number() OVER (PARTITION BY person, journey['conversions'] ORDER BY journey['ts']) = 1 THEN 1
      ELSE 0
    END AS new_customers
  FROM by_person
),
by_month AS (
  SELECT
    month,
    markov_attribution(path, orders, revenue, nulls, 1) AS markov,
    markov_attribution(path, new_customers, revenue, nulls, 1) AS markov_new,
    shapley_attribution(path, orders, revenue) AS shapley,
    shapley_attribution(path, new_customers, revenue) AS shapley_new
  FROM journeys
  GROUP BY month
),
by_channel AS (
  SELECT month, 'markov' AS model, unnest(markov) AS share, true AS is_order FROM by_month
  UNION ALL
  SELECT month, 'markov' AS model, unnest(markov_new) AS share, false AS is_order FROM by_month
),
by_set AS (
  SELECT month, 'shapley' AS model, unnest(shapley) AS share, true AS is_order FROM by_month
  UNION ALL
  SELECT month, 'shapley' AS model, unnest(shapley_new) AS share, false AS is_order FROM by_month
),
model_shares AS (
  SELECT month, model, is_order, share['channel'] AS channel, share['conversions'] AS conversions, share['value'] AS value FROM by_channel
  UNION ALL
  SELECT month, model, is_order, share['channel'] AS channel, share['conversions'] AS conversions, share['value'] AS value FROM by_set
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
  UNION ALL
  SELECT
    CAST(month AS DATE) AS month,
    channel,
    model,
    CAST(0 AS NUMERIC(18, 2)) AS cost,
    CASE WHEN is_order THEN conversions ELSE 0 END AS orders,
    CASE WHEN is_order THEN CAST(value AS NUMERIC(18, 2)) ELSE 0 END AS revenue,
    CASE WHEN is_order THEN 0 ELSE conversions END AS new_customers
  FROM model_shares
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
  CROSS JOIN (VALUES ('first'), ('last'), ('last_non_direct'), ('linear'), ('position'), ('time_decay'), ('markov'), ('shapley')) AS model (name)
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
