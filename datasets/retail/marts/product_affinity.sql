-- A row is an ordered pair of products that were bought in one order. Key: sku_id, with_sku_id. Reads: order_items of the year up to as_of().
-- baskets: orders with both, at least ten (market_basket). support = baskets / orders. confidence = baskets / orders with sku_id: how often a buyer of
-- sku_id takes with_sku_id too. lift = confidence / share of orders with with_sku_id: above 1, the two attract each other.
CREATE VIEW mart.product_affinity AS
WITH baskets AS (
  SELECT channel, order_id, array_agg(sku_id) AS skus
  FROM order_items
  WHERE quantity > 0 AND paid_amount > 0 AND order_time > as_of() - INTERVAL '365 days' AND order_time <= as_of()
  GROUP BY channel, order_id
),
rules AS (
  SELECT unnest(market_basket(skus, 10, 0, 2)) AS rule FROM baskets
)
SELECT
  array_element(rule['antecedent'], 1) AS sku_id,
  rule['consequent'] AS with_sku_id,
  rule['n'] AS baskets,
  rule['support'] AS support,
  rule['confidence'] AS confidence,
  rule['lift'] AS lift
FROM rules;

COMMENT ON VIEW mart.product_affinity IS 'One row per ordered pair of products bought together: support, confidence, lift';
