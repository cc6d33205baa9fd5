-- A row is one order. Key: channel, order_id. Reads: source, one order a row.
-- The number of pieces stands in the names of the products alone, and is NULL.
SELECT
  channel,
  order_id,
  order_time,
  CASE WHEN status <> 'closed' THEN status WHEN pay_time IS NULL THEN 'cancelled' ELSE 'refunded' END AS status,
  store_id,
  guide_id,
  promoter_guide_id,
  gross_amount,
  coalesce(shop_discount_amount, 0) + coalesce(pay_discount_amount, 0) AS discount_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(paid_amount, 0) END AS paid_amount,
  coalesce(refund_amount, 0) AS refund_amount,
  coalesce(shipping_amount, 0) AS shipping_amount,
  pay_time,
  complete_time,
  province,
  city,
  id_phone,
  extras,
  _line,
  _file
FROM source
