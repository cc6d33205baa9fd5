-- A row is an ordered pair of products that were bought in one order. Key: sku_id, with_sku_id. Reads: order_items of the year up to as_of().
-- baskets: orders with both, at least ten. support = baskets / orders. confidence = baskets / orders with sku_id: how often a buyer of sku_id takes
-- with_sku_id too. lift = confidence / share of orders with with_sku_id: above 1, the two attract each other.
CREATE VIEW mart.product_affinity AS
WITH items AS (
  SELECT channel, order_id, sku_id
  FROM order_items
  WHERE quantity > 0 AND paid_amount > 0 AND order_time > as_of() - INTERVAL '365 days' AND order_time <= as_of()
  GROUP BY channel, order_id, sku_id
),
orders_total AS (
  SELECT count(*) AS orders FROM (SELECT channel, order_id FROM items GROUP BY channel, order_id) AS baskets
),
sold AS (
  SELECT sku_id, count(*) AS orders FROM items GROUP BY sku_id
),
pairs AS (
  SELECT item.sku_id, other.sku_id AS with_sku_id, count(*) AS baskets
  FROM items AS item
  JOIN items AS other ON other.channel = item.channel AND other.order_id = item.order_id AND other.sku_id <> item.sku_id
  GROUP BY item.sku_id, other.sku_id
  HAVING count(*) >= 10
)
SELECT
  pairs.sku_id,
  pairs.with_sku_id,
  pairs.baskets,
  CAST(pairs.baskets AS DOUBLE PRECISION) / orders_total.orders AS support,
  CAST(pairs.baskets AS DOUBLE PRECISION) / sold.orders AS confidence,
  CAST(pairs.baskets AS DOUBLE PRECISION) * orders_total.orders / sold.orders / with_sold.orders AS lift
FROM pairs
JOIN sold ON sold.sku_id = pairs.sku_id
JOIN sold AS with_sold ON with_sold.sku_id = pairs.with_sku_id
CROSS JOIN orders_total;

COMMENT ON VIEW mart.product_affinity IS 'One row per ordered pair of products bought together: support, confidence, lift';
