-- A row is one order. Key: channel, order_id. Reads: source, one product of an order a row; what is the order's stands on each.
-- The employee who shared the product last promoted the order and serves it.
WITH orders AS (
  SELECT
    channel,
    order_id,
    min(order_time) AS order_time,
    first_value(status ORDER BY _line) AS status,
    min(pay_time) AS pay_time,
    max(complete_time) AS complete_time,
    max(gross_amount) AS gross,
    max(paid_amount) AS paid,
    max(shipping_amount) AS shipping,
    max(coalesce(goods_discount_amount, 0) + coalesce(shops_discount_amount, 0) + coalesce(price_change_amount, 0) + coalesce(points_amount, 0)) AS discount,
    sum(line_refund_amount) AS refunded,
    sum(quantity) AS pieces,
    first_value(guide_id ORDER BY _line) AS guide_id,
    first_value(province ORDER BY _line) AS province,
    first_value(city ORDER BY _line) AS city,
    first_value(id_phone ORDER BY _line) AS id_phone,
    first_value(extras ORDER BY _line) AS extras,
    min(_line) AS _line,
    min(_file) AS _file
  FROM source
  GROUP BY channel, order_id
)
SELECT
  channel,
  order_id,
  order_time,
  CASE WHEN status <> 'closed' THEN status WHEN pay_time IS NULL THEN 'cancelled' ELSE 'refunded' END AS status,
  guide_id,
  guide_id AS promoter_guide_id,
  gross AS gross_amount,
  discount AS discount_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(paid, 0) END AS paid_amount,
  coalesce(refunded, 0) AS refund_amount,
  coalesce(shipping, 0) AS shipping_amount,
  CAST(pieces AS INTEGER) AS item_count,
  pay_time,
  complete_time,
  province,
  city,
  id_phone,
  extras,
  _line,
  _file
FROM orders
