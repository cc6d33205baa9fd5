-- A row is one product of an order. Key: channel, order_id, line_no. Reads: source, the same rows.
-- The export does not say what was paid for a product: paid_amount is NULL. A file must hold an order whole.
SELECT
  channel,
  order_id,
  CAST(row_number() OVER (PARTITION BY order_id ORDER BY sku_id, _line) AS INTEGER) AS line_no,
  order_time,
  sku_id,
  product_name,
  quantity,
  unit_price,
  id_jd,
  id_phone,
  extras,
  _line,
  _file
FROM source
