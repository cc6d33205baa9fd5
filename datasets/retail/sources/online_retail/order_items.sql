-- A row is one line of an invoice, in the order of the file. Key: channel, order_id, line_no. Reads: source, the same lines.
-- Lines of a cancellation have a negative quantity. What they give back is refund_amount.
SELECT
  'online' AS channel,
  "InvoiceNo" AS order_id,
  CAST(row_number() OVER (PARTITION BY "InvoiceNo" ORDER BY _line) AS INTEGER) AS line_no,
  "InvoiceDate" AS order_time,
  "StockCode" AS sku_id,
  "Description" AS product_name,
  CAST("Quantity" AS INTEGER) AS quantity,
  CAST("UnitPrice" AS NUMERIC(18, 4)) AS unit_price,
  CAST(CASE WHEN "Quantity" > 0 AND "UnitPrice" > 0 THEN round("Quantity" * CAST("UnitPrice" AS NUMERIC(18, 4)), 2) ELSE 0 END AS NUMERIC(18, 2)) AS paid_amount,
  CAST(CASE WHEN "Quantity" < 0 AND "UnitPrice" > 0 THEN round(-"Quantity" * CAST("UnitPrice" AS NUMERIC(18, 4)), 2) ELSE 0 END AS NUMERIC(18, 2)) AS refund_amount,
  CAST("CustomerID" AS TEXT) AS id_customer
FROM source
