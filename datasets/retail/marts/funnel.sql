-- A row is one month and channel. Key: month, channel. Reads: interactions, orders.
-- Each of the first four steps counts different customers of that month and channel: visitors (any interaction), touched (a marketing touchpoint),
-- ordering (any order), paying (status paid, shipped or completed). Steps are counted each for itself: a buyer need not have been a visitor.
-- then_touched, then_ordering, then_paying: of the visitors those who went on in this order, from one visit on within 30 days (window_funnel), in that
-- month and channel: met marketing, then ordered, then ordered what they paid for. A touch is a visit, an order that is paid counts for both.
CREATE VIEW mart.funnel AS
WITH events AS (
  SELECT
    CAST(date_trunc('month', event_time) AS DATE) AS month,
    channel,
    one_id,
    event_time AS happened,
    true AS is_visit,
    touchpoint IS NOT NULL AS is_touch,
    false AS is_order,
    false AS is_paid
  FROM interactions
  WHERE one_id IS NOT NULL AND event_time <= as_of()
  UNION ALL
  SELECT
    CAST(date_trunc('month', order_time) AS DATE) AS month,
    channel,
    one_id,
    order_time AS happened,
    false AS is_visit,
    false AS is_touch,
    true AS is_order,
    status IN ('paid', 'shipped', 'completed') AS is_paid
  FROM orders
  WHERE one_id IS NOT NULL AND order_time <= as_of()
),
people AS (
  SELECT
    month,
    channel,
    one_id,
    bool_or(is_visit) AS visited,
    bool_or(is_touch) AS touched,
    bool_or(is_order) AS ordered,
    bool_or(is_paid) AS paid,
    window_funnel(INTERVAL '30 days', 'default', happened, is_visit, is_touch, is_order, is_paid) AS steps
  FROM events
  GROUP BY month, channel, one_id
)
SELECT
  month,
  channel,
  count(*) FILTER (WHERE visited) AS visitors,
  count(*) FILTER (WHERE touched) AS touched,
  count(*) FILTER (WHERE ordered) AS ordering,
  count(*) FILTER (WHERE paid) AS paying,
  count(*) FILTER (WHERE steps >= 2) AS then_touched,
  count(*) FILTER (WHERE steps >= 3) AS then_ordering,
  count(*) FILTER (WHERE steps >= 4) AS then_paying
FROM people
GROUP BY month, channel;

COMMENT ON VIEW mart.funnel IS 'One row per month and channel: visitors, touched, ordering and paying customers, and how many went on in that order';
