-- A row is one channel code (QR code or link). Key: channel_code. Reads: interactions, orders, up to as_of().
-- people: customers with an event under the code. added: those who added a contact under it.
-- buyers, orders, revenue: their sales (status paid, shipped or completed) in the 90 days after their first event under the code.
-- A customer who met two codes counts under both. conversion = buyers / people.
CREATE VIEW mart.channel_code_quality AS
WITH scans AS (
  SELECT
    channel_code,
    one_id,
    min(event_time) AS first_time,
    min(event_time) + INTERVAL '90 days' AS last_time,
    max(CASE WHEN event_type = 'add_contact' THEN 1 ELSE 0 END) AS added
  FROM interactions
  WHERE channel_code IS NOT NULL AND one_id IS NOT NULL AND event_time <= as_of()
  GROUP BY channel_code, one_id
),
sales AS (
  SELECT scans.channel_code, count(*) AS orders, count(DISTINCT orders.one_id) AS buyers, sum(orders.paid_amount) AS revenue
  FROM scans
  JOIN orders
    ON orders.one_id = scans.one_id
    AND orders.order_time >= scans.first_time
    AND orders.order_time <= scans.last_time
  WHERE orders.status IN ('paid', 'shipped', 'completed') AND orders.order_time <= as_of()
  GROUP BY scans.channel_code
),
people AS (
  SELECT channel_code, count(*) AS people, sum(added) AS added FROM scans GROUP BY channel_code
)
SELECT
  people.channel_code,
  people.people,
  people.added,
  coalesce(sales.buyers, 0) AS buyers,
  coalesce(sales.orders, 0) AS orders,
  coalesce(sales.revenue, 0) AS revenue,
  CAST(coalesce(sales.buyers, 0) AS DOUBLE PRECISION) / people.people AS conversion
FROM people
LEFT JOIN sales ON sales.channel_code = people.channel_code;

COMMENT ON VIEW mart.channel_code_quality IS 'One row per channel code: whom it brought and what they bought within 90 days';
