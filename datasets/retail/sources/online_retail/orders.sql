-- A row is one invoice. Key: channel, order_id. Reads: source, one line of an invoice a row.
-- A cancellation (number begins with C) is an order that was never paid and that gives money back. An invoice without any line
-- of positive quantity and price is a booking of the stock room: created, never paid.
-- The shop's own customer number stays readable in extras: its order breaks ties in published scores.
WITH invoices AS (
  SELECT
    "InvoiceNo" AS invoice,
    min("InvoiceDate") AS invoice_time,
    min("CustomerID") AS customer,
    min("Country") AS country,
    sum(CASE WHEN "Quantity" > 0 AND "UnitPrice" > 0 THEN "Quantity" * CAST("UnitPrice" AS NUMERIC(18, 4)) ELSE 0 END) AS sold,
    sum(CASE WHEN "Quantity" < 0 AND "UnitPrice" > 0 THEN -"Quantity" * CAST("UnitPrice" AS NUMERIC(18, 4)) ELSE 0 END) AS returned,
    sum(CASE WHEN "Quantity" > 0 THEN "Quantity" ELSE 0 END) AS pieces
  FROM source
  GROUP BY "InvoiceNo"
)
SELECT
  'online' AS channel,
  invoice AS order_id,
  invoice_time AS order_time,
  CASE WHEN invoice LIKE 'C%' THEN 'cancelled' WHEN sold > 0 THEN 'completed' ELSE 'created' END AS status,
  CAST(round(sold, 2) AS NUMERIC(18, 2)) AS gross_amount,
  CAST(round(sold, 2) AS NUMERIC(18, 2)) AS paid_amount,
  CAST(round(returned, 2) AS NUMERIC(18, 2)) AS refund_amount,
  CAST(pieces AS INTEGER) AS item_count,
  'GBP' AS currency,
  CASE WHEN sold > 0 THEN invoice_time END AS pay_time,
  CASE WHEN sold > 0 THEN invoice_time END AS complete_time,
  invoice_time AS updated_at,
  CAST(customer AS TEXT) AS id_customer,
  '{"country": "' || country || '"' || coalesce(', "customer": ' || CAST(customer AS TEXT), '') || '}' AS extras
FROM invoices
