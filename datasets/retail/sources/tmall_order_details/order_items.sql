-- A row is one line of an order. Key: channel, order_id, line_no. Reads: source, one line a row.
-- Lines are numbered within their order by the number that the platform gave them, so a file must hold an order whole.
SELECT
  channel,
  order_id,
  CAST(row_number() OVER (PARTITION BY order_id ORDER BY item_id, _line) AS INTEGER) AS line_no,
  order_time,
  coalesce(sku_id, merchant_code, 'none') AS sku_id,
  product_name,
  quantity,
  unit_price,
  paid_amount,
  coalesce(refund_amount, 0) AS refund_amount,
  extras,
  _line,
  _file
FROM source
