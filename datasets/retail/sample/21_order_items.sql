-- table: order_items
-- A row is one line of an order of the sample brand.
SELECT
  orders.channel,
  orders.order_id,
  CAST(lines.line_no AS INTEGER) AS line_no,
  orders.order_time,
  lines.sku_id,
  lines.product_name,
  lines.category,
  lines.brand,
  CAST(lines.quantity AS INTEGER) AS quantity,
  lines.unit_price,
  CASE WHEN orders.status IN ('created', 'cancelled') THEN CAST(0 AS DECIMAL(18, 2)) ELSE lines.paid_amount END AS paid_amount,
  CASE WHEN orders.status = 'refunded' THEN lines.paid_amount ELSE CAST(0 AS DECIMAL(18, 2)) END AS refund_amount,
  id_phone, id_unionid, id_openid, id_tmall, id_douyin, id_jd, id_member, id_external_userid
FROM sample_orders AS orders
JOIN sample_lines AS lines ON lines.purchase = orders.purchase
