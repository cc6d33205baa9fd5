-- A row is one order. Key: channel, order_id. Reads: source, one sub-order a row; amounts of the order are their sums.
-- An order is as far as its sub-orders that are not closed; one that is closed whole was cancelled where nobody paid, else given back.
WITH orders AS (
  SELECT
    channel,
    order_id,
    min(order_time) AS order_time,
    min(pay_time) AS pay_time,
    max(complete_time) AS complete_time,
    count(CASE WHEN status = 'created' THEN 1 END) AS created,
    count(CASE WHEN status = 'paid' THEN 1 END) AS paid,
    count(CASE WHEN status = 'shipped' THEN 1 END) AS shipped,
    count(CASE WHEN status = 'completed' THEN 1 END) AS completed,
    sum(unit_price * quantity) AS gross,
    sum(discount_amount) AS discount,
    sum(payable_amount) AS payable,
    sum(shipping_amount) AS shipping,
    sum(CASE WHEN aftersale_status LIKE '%退款成功%' OR aftersale_status LIKE '%售后完成%' THEN payable_amount ELSE 0 END) AS refunded,
    sum(quantity) AS pieces,
    first_value(store_id ORDER BY _line) AS store_id,
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
  CASE
    WHEN created > 0 THEN 'created'
    WHEN paid > 0 THEN 'paid'
    WHEN shipped > 0 THEN 'shipped'
    WHEN completed > 0 THEN 'completed'
    WHEN pay_time IS NULL THEN 'cancelled'
    ELSE 'refunded'
  END AS status,
  store_id,
  CAST(round(gross, 2) AS NUMERIC(18, 2)) AS gross_amount,
  coalesce(discount, 0) AS discount_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(payable, 0) END AS paid_amount,
  CASE WHEN pay_time IS NULL THEN 0 ELSE coalesce(refunded, 0) END AS refund_amount,
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
