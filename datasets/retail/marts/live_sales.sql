-- A row is one live session. Key: live_session_id. Reads: orders, interactions, up to as_of().
-- viewers: customers with a live_view event of the session (session_id). orders, buyers, revenue: sales (status paid, shipped or completed) that name it.
-- refund_share: refunded among the paid orders that name it. NULL where none was paid.
CREATE VIEW mart.live_sales AS
WITH views AS (
  SELECT session_id AS live_session_id, count(DISTINCT one_id) AS viewers
  FROM interactions
  WHERE event_type = 'live_view' AND session_id IS NOT NULL AND event_time <= as_of()
  GROUP BY session_id
),
sales AS (
  SELECT
    live_session_id,
    count(*) FILTER (WHERE status <> 'refunded') AS orders,
    count(DISTINCT one_id) FILTER (WHERE status <> 'refunded') AS buyers,
    coalesce(sum(paid_amount) FILTER (WHERE status <> 'refunded'), 0) AS revenue,
    CAST(count(*) FILTER (WHERE status = 'refunded') AS DOUBLE PRECISION) / count(*) AS refund_share
  FROM orders
  WHERE live_session_id IS NOT NULL AND status IN ('paid', 'shipped', 'completed', 'refunded') AND order_time <= as_of()
  GROUP BY live_session_id
)
SELECT
  coalesce(views.live_session_id, sales.live_session_id) AS live_session_id,
  coalesce(views.viewers, 0) AS viewers,
  coalesce(sales.orders, 0) AS orders,
  coalesce(sales.buyers, 0) AS buyers,
  coalesce(sales.revenue, 0) AS revenue,
  sales.refund_share
FROM views
FULL JOIN sales ON sales.live_session_id = views.live_session_id;

COMMENT ON VIEW mart.live_sales IS 'One row per live session: viewers, sales, refunds';
