-- A row is one product of an order. Key: channel, order_id, line_no. Reads: source, the same rows. A file must hold an order whole.
SELECT
  channel,
  order_id,
  CAST(row_number() OVER (PARTITION BY order_id ORDER BY platform_code, _line) AS INTEGER) AS line_no,
  order_time,
  coalesce(sku_id, product_code, platform_code) AS sku_id,
  product_name,
  quantity,
  unit_price,
  CASE WHEN pay_time IS NULL THEN 0 ELSE line_paid_amount END AS paid_amount,
  coalesce(line_refund_amount, 0) AS refund_amount,
  id_phone,
  extras,
  _line,
  _file
FROM source
