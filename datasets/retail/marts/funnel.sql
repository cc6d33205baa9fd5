-- A row is one month and channel. Key: month, channel. Reads: interactions, orders.
-- Each step counts different customers of that month and channel: visitors (any interaction), touched (a marketing touchpoint),
-- ordering (any order), paying (status paid, shipped or completed). Steps are counted each for itself: a buyer need not have been a visitor.
CREATE VIEW mart.funnel AS
WITH people AS (
  SELECT
    CAST(date_trunc('month', event_time) AS DATE) AS month,
    channel,
    one_id,
    1 AS visitor,
    max(CASE WHEN touchpoint IS NOT NULL THEN 1 ELSE 0 END) AS touched,
    0 AS ordering,
    0 AS paying
  FROM interactions
  WHERE one_id IS NOT NULL AND event_time <= as_of()
  GROUP BY 1, 2, 3
  UNION ALL
  SELECT
    CAST(date_trunc('month', order_time) AS DATE) AS month,
    channel,
    one_id,
    0 AS visitor,
    0 AS touched,
    1 AS ordering,
    max(CASE WHEN status IN ('paid', 'shipped', 'completed') THEN 1 ELSE 0 END) AS paying
  FROM orders
  WHERE one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY 1, 2, 3
)
SELECT
  month,
  channel,
  sum(visitor) AS visitors,
  sum(touched) AS touched,
  sum(ordering) AS ordering,
  sum(paying) AS paying
FROM people
GROUP BY month, channel;

COMMENT ON VIEW mart.funnel IS 'One row per month and channel: visitors, touched, ordering and paying customers';
