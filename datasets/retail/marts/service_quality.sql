-- A row is one month and channel. Key: month, channel. Reads: interactions, orders, up to as_of().
-- consults, complaints: events of that type. orders: paid orders, refunded ones included. refunded: those refunded, by month of the order.
-- complaint_share = complaints / orders, refund_share = refunded / orders. NULL without orders.
CREATE VIEW mart.service_quality AS
WITH entries AS (
  SELECT
    CAST(date_trunc('month', event_time) AS DATE) AS month,
    channel,
    CASE WHEN event_type = 'consult' THEN 1 ELSE 0 END AS consults,
    CASE WHEN event_type = 'complaint' THEN 1 ELSE 0 END AS complaints,
    0 AS orders,
    0 AS refunded
  FROM interactions
  WHERE event_type IN ('consult', 'complaint') AND event_time <= as_of()
  UNION ALL
  SELECT
    CAST(date_trunc('month', order_time) AS DATE) AS month,
    channel,
    0 AS consults,
    0 AS complaints,
    1 AS orders,
    CASE WHEN status = 'refunded' THEN 1 ELSE 0 END AS refunded
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed', 'refunded') AND order_time <= as_of()
)
SELECT
  month,
  channel,
  sum(consults) AS consults,
  sum(complaints) AS complaints,
  sum(orders) AS orders,
  sum(refunded) AS refunded,
  CAST(sum(complaints) AS DOUBLE PRECISION) / nullif(sum(orders), 0) AS complaint_share,
  CAST(sum(refunded) AS DOUBLE PRECISION) / nullif(sum(orders), 0) AS refund_share
FROM entries
GROUP BY month, channel;

COMMENT ON VIEW mart.service_quality IS 'One row per month and channel: questions, complaints, refunds';
