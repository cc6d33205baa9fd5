-- A row is one order. Key: channel, order_id. Reads: source, one order a row.
-- An order that the platform closed was cancelled where nobody paid, else given back whole.
-- The export names no list price: gross_amount is what the buyer had to pay for the goods.
SELECT
  channel,
  order_id,
  order_time,
  CASE WHEN status <> 'closed' THEN status WHEN pay_time IS NULL THEN 'cancelled' ELSE 'refunded' END AS status,
  store_id,
  goods_amount AS gross_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(paid_amount, 0) END AS paid_amount,
  coalesce(refund_amount, 0) AS refund_amount,
  coalesce(shipping_amount, 0) AS shipping_amount,
  item_count,
  pay_time,
  complete_time,
  id_tmall,
  id_phone,
  extras,
  _line,
  _file
FROM source
