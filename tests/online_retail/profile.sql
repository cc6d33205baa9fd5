-- One row: the profile of UCI Online Retail after loading. Each column equals the row of its name in expected_profile.csv beside the data.
SET TimeZone = 'Europe/London';
WITH items AS (
  SELECT
    order_id, sku_id, product_name, quantity, order_time, unit_price, one_id,
    one_id IS NOT NULL AND order_id NOT LIKE 'C%' AND quantity > 0 AND unit_price > 0 AS is_clean
  FROM order_items
  WHERE channel = 'online'
),
lines AS (
  SELECT order_id, sku_id, product_name, quantity, order_time, unit_price, one_id, count(*) AS copies
  FROM items
  GROUP BY order_id, sku_id, product_name, quantity, order_time, unit_price, one_id
),
countries AS (
  SELECT count(DISTINCT (regexp_match(CAST(extras AS TEXT), '"country": *"([^"]*)"'))[1]) AS countries
  FROM orders
  WHERE channel = 'online'
),
copies AS (
  SELECT sum(copies - 1) AS exact_dup_rows FROM lines
),
totals AS (
  SELECT
    count(*) AS rows,
    count(DISTINCT order_id) AS invoices,
    count(DISTINCT sku_id) AS stock_codes,
    count(DISTINCT one_id) AS customers,
    count(one_id) AS rows_with_customer,
    count(*) FILTER (WHERE order_id LIKE 'C%') AS cancel_rows,
    count(DISTINCT order_id) FILTER (WHERE order_id LIKE 'C%') AS cancel_invoices,
    count(*) FILTER (WHERE quantity < 0) AS neg_qty_rows,
    count(*) FILTER (WHERE unit_price = 0) AS price_zero,
    count(*) FILTER (WHERE unit_price < 0) AS price_neg,
    sum(quantity * unit_price) AS gross,
    min(order_time) AS first,
    max(order_time) AS last,
    count(*) FILTER (WHERE is_clean) AS clean_rows,
    count(DISTINCT one_id) FILTER (WHERE is_clean) AS clean_customers,
    count(DISTINCT order_id) FILTER (WHERE is_clean) AS clean_invoices,
    sum(quantity * unit_price) FILTER (WHERE is_clean) AS clean_amount
  FROM items
)
SELECT
  rows, invoices, stock_codes, countries, customers, rows_with_customer, cancel_rows, cancel_invoices, neg_qty_rows, price_zero, price_neg,
  gross, exact_dup_rows, first, last, clean_rows, clean_customers, clean_invoices, clean_amount
FROM totals
CROSS JOIN countries
CROSS JOIN copies;
