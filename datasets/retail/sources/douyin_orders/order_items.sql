-- A row is one sub-order. Key: channel, order_id, line_no. Reads: source, the same rows.
-- Sub-orders are numbered within their order by the number that the platform gave them, so a file must hold an order whole.
SELECT
  channel,
  order_id,
  CAST(row_number() OVER (PARTITION BY order_id ORDER BY item_id, _line) AS INTEGER) AS line_no,
  order_time,
  coalesce(merchant_code, sku_id) AS sku_id,
  product_name,
  quantity,
  unit_price,
  CASE WHEN pay_time IS NULL THEN 0 ELSE payable_amount - coalesce(shipping_amount, 0) END AS paid_amount,
  CASE WHEN pay_time IS NOT NULL AND (aftersale_status LIKE '%退款成功%' OR aftersale_status LIKE '%售后完成%') THEN payable_amount ELSE 0 END AS refund_amount,
  id_phone,
  extras,
  _line,
  _file
FROM source
