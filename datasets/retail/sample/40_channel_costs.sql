-- table: channel_costs
-- A row is what one campaign of one channel cost on one day. Costs follow the channel's revenue of the month by a return that differs
-- from channel to channel and wavers from month to month. Feasts cost extra.
WITH channels AS (
  SELECT * FROM (VALUES
    (1, 'tmall', 2.3, 0.9), (2, 'douyin', 1.2, 0.6), (3, 'jd', 1.9, 0.8), (4, 'mini_program', 4.4, 0.3),
    (5, 'wechat_shop', 3.4, 0.5), (6, 'wecom', 2.7, 0.2), (7, 'store', 2.8, 1.5)
  ) AS channel (n, channel, return_on_spend, click_price)
),
revenues AS (
  SELECT channel, date_trunc('month', arrow_cast(20028 + day, 'Date32')) AS month, sum(paid_amount) AS revenue
  FROM (SELECT channel, CAST(day AS INT) AS day, paid_amount FROM sample_orders) AS sold
  GROUP BY channel, date_trunc('month', arrow_cast(20028 + day, 'Date32'))
),
days AS (
  SELECT value AS day, arrow_cast(CAST(20028 + value AS INT), 'Date32') AS cost_date FROM generate_series(0, 729)
),
campaigns AS (
  SELECT * FROM (VALUES
    ('ALWAYS-ON', 0, 729, 0.78, 1), ('D11-2024', 0, 19, 0.45, 2), ('618-2025', 215, 237, 0.30, 3), ('D11-2025', 362, 384, 0.45, 4), ('618-2026', 580, 602, 0.30, 5)
  ) AS campaign (campaign_id, first_day, last_day, share, n)
),
spends AS (
  SELECT
    days.cost_date,
    channels.channel,
    campaigns.campaign_id,
    click_price,
    (days.day * 8 + channels.n) * 8 + campaigns.n AS key,
    coalesce(CAST(revenues.revenue AS DOUBLE), 0) / 30.4 / return_on_spend * share
      * (0.75 + 0.5 * sample_uniform('month spend', channels.n * 100 + CAST(date_part('month', days.cost_date) AS BIGINT)))
      * (0.8 + 0.4 * sample_uniform('day spend', (days.day * 8 + channels.n) * 8 + campaigns.n)) AS cost
  FROM days
  CROSS JOIN channels
  JOIN campaigns ON days.day BETWEEN campaigns.first_day AND campaigns.last_day
  LEFT JOIN revenues ON revenues.channel = channels.channel AND revenues.month = date_trunc('month', days.cost_date)
)
SELECT
  cost_date,
  channel,
  campaign_id,
  CAST(round(cost, 2) AS DECIMAL(18, 2)) AS cost,
  CAST(floor(cost / click_price * (20 + 20 * sample_uniform('shown', key))) AS BIGINT) AS impressions,
  CAST(floor(cost / click_price) AS BIGINT) AS clicks
FROM spends
