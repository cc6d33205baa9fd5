-- A row is one level of membership. Key: member_level. Reads: customers, orders.
-- buyers, orders, revenue: sales of its members (status paid, shipped or completed, up to as_of()). Two averages: per order and per buyer.
CREATE VIEW mart.member_levels AS
WITH sales AS (
  SELECT one_id, count(*) AS orders, sum(paid_amount) AS revenue
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
)
SELECT
  coalesce(customers.member_level, 'none') AS member_level,
  count(*) AS customers,
  count(sales.one_id) AS buyers,
  coalesce(sum(sales.orders), 0) AS orders,
  coalesce(sum(sales.revenue), 0) AS revenue,
  sum(sales.revenue) / nullif(sum(sales.orders), 0) AS revenue_per_order,
  sum(sales.revenue) / nullif(count(sales.one_id), 0) AS revenue_per_buyer
FROM customers
LEFT JOIN sales ON sales.one_id = customers.one_id
GROUP BY 1;

COMMENT ON VIEW mart.member_levels IS 'One row per level of membership: members, buyers, sales';
