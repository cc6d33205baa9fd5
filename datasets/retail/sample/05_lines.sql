-- view: sample_lines
-- A row is one line of a purchase. Key: purchase, line_no.
WITH lines AS (
  SELECT purchase, discount_percent, n.value AS line_no, purchase * 8 + n.value AS line
  FROM sample_purchases
  CROSS JOIN generate_series(1, 5) AS n
  WHERE n.value <= 1 + floor(-ln(1 - sample_uniform('lines', purchase)) * 1.35)
),
picks AS (
  SELECT
    *,
    1 + CAST(floor(36 * power(sample_uniform('product', line), 1.35)) AS BIGINT) AS product_n,
    CASE WHEN sample_uniform('pieces', line) < 0.86 THEN 1 WHEN sample_uniform('pieces', line) < 0.97 THEN 2 ELSE 3 END AS quantity
  FROM lines
)
SELECT
  purchase,
  line_no,
  sku_id,
  product_name,
  category,
  brand,
  quantity,
  CAST(list_price AS DECIMAL(18, 4)) AS unit_price,
  CAST(round(quantity * list_price, 2) AS DECIMAL(18, 2)) AS gross_amount,
  CAST(round(quantity * list_price * (100 - discount_percent) / 100, 2) AS DECIMAL(18, 2)) AS paid_amount
FROM picks
JOIN sample_products ON sample_products.n = picks.product_n
