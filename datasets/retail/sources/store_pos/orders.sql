-- A row is one receipt. Key: channel, order_id. Reads: source, one receipt a row.
-- A receipt of goods that came back was never paid; what it gives back is its refund.
SELECT
  channel,
  order_id,
  order_time,
  CASE WHEN kind = 'sale' THEN 'completed' ELSE 'refunded' END AS status,
  store_id,
  guide_id,
  promoter_guide_id,
  coupon_id,
  abs(gross_amount) AS gross_amount,
  abs(coalesce(discount_amount, 0)) AS discount_amount,
  CASE WHEN kind = 'sale' THEN paid_amount ELSE 0 END AS paid_amount,
  CASE WHEN kind = 'return' THEN abs(paid_amount) ELSE 0 END AS refund_amount,
  abs(pieces) AS item_count,
  CASE WHEN kind = 'sale' THEN order_time END AS pay_time,
  CASE WHEN kind = 'sale' THEN order_time END AS complete_time,
  id_phone,
  id_member,
  extras,
  _line,
  _file
FROM source
