-- A row is one order. Key: channel, order_id. Reads: source, one product of an order a row; what is the order's stands on each.
-- The customer pays what is payable and what her balance covers. Goods before discounts are the order's amount, after them the settled one.
WITH orders AS (
  SELECT
    channel,
    order_id,
    min(order_time) AS order_time,
    first_value(status ORDER BY _line) AS status,
    min(pay_time) AS pay_time,
    max(complete_time) AS complete_time,
    max(gross_amount) AS gross,
    max(settled_amount) AS settled,
    max(payable_amount) AS payable,
    max(balance_amount) AS balance,
    max(shipping_amount) AS shipping,
    sum(quantity) AS pieces,
    first_value(id_jd ORDER BY _line) AS id_jd,
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
  gross AS gross_amount,
  gross - coalesce(settled, gross) AS discount_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(payable, 0) + coalesce(balance, 0) END AS paid_amount,
  CASE WHEN status = 'closed' AND pay_time IS NOT NULL THEN coalesce(payable, 0) + coalesce(balance, 0) ELSE 0 END AS refund_amount,
  coalesce(shipping, 0) AS shipping_amount,
  CAST(pieces AS INTEGER) AS item_count,
  pay_time,
  complete_time,
  id_jd,
  id_phone,
  extras,
  _line,
  _file
FROM orders
