-- A row is one chat group. Key: community_id. Reads: interactions, orders.
-- joined: customers with a join_community event. active: customers with any event in the group in the 30 days up to as_of().
-- orders, buyers, revenue: sales (status paid, shipped or completed, up to as_of()) that name the group. conversion = buyers / joined, which
-- may pass 1 because one can buy in a group without having been seen joining it. NULL where nobody joined.
CREATE VIEW mart.community_performance AS
WITH events AS (
  SELECT
    community_id,
    count(DISTINCT one_id) FILTER (WHERE event_type = 'join_community') AS joined,
    count(DISTINCT one_id) FILTER (WHERE event_time > as_of() - INTERVAL '30 days') AS active
  FROM interactions
  WHERE community_id IS NOT NULL AND event_time <= as_of()
  GROUP BY community_id
),
sales AS (
  SELECT community_id, count(*) AS orders, count(DISTINCT one_id) AS buyers, sum(paid_amount) AS revenue
  FROM orders
  WHERE community_id IS NOT NULL AND status IN ('paid', 'shipped', 'completed') AND order_time <= as_of()
  GROUP BY community_id
)
SELECT
  coalesce(events.community_id, sales.community_id) AS community_id,
  coalesce(events.joined, 0) AS joined,
  coalesce(events.active, 0) AS active,
  coalesce(sales.orders, 0) AS orders,
  coalesce(sales.buyers, 0) AS buyers,
  coalesce(sales.revenue, 0) AS revenue,
  CAST(coalesce(sales.buyers, 0) AS DOUBLE PRECISION) / nullif(events.joined, 0) AS conversion
FROM events
FULL JOIN sales ON sales.community_id = events.community_id;

COMMENT ON VIEW mart.community_performance IS 'One row per chat group: members, activity, sales';
