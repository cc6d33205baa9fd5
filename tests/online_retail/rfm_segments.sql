-- A row is one RFM segment of UCI Online Retail as of 2011-12-10. The answer equals expected_rfm_segments.csv beside the data.
-- Amounts come from the lines, unrounded. Ties are broken by the shop's customer number.
SET TimeZone = 'Europe/London';
WITH sales AS (
  SELECT
    CAST((regexp_match(CAST(orders.extras AS TEXT), '"customer": *([0-9]+)'))[1] AS BIGINT) AS customer,
    orders.order_id,
    orders.order_time,
    sum(items.quantity * items.unit_price) AS amount
  FROM orders
  JOIN order_items AS items ON items.channel = orders.channel AND items.order_id = orders.order_id
  WHERE orders.channel = 'online'
    AND orders.status = 'completed'
    AND orders.one_id IS NOT NULL
    AND items.quantity > 0
    AND items.unit_price > 0
  GROUP BY orders.extras, orders.order_id, orders.order_time
),
summaries AS (
  SELECT customer, rfm(order_time, amount, CAST('2011-12-10 00:00:00+00' AS TIMESTAMPTZ)) AS summary
  FROM sales
  GROUP BY customer
),
measures AS (
  SELECT customer, summary['recency_days'] AS recency, summary['frequency'] AS frequency, summary['monetary'] AS monetary
  FROM summaries
),
scores AS (
  SELECT
    recency,
    frequency,
    monetary,
    rfm_score(recency, 5, false, 'ntile') OVER (ORDER BY customer) AS r_score,
    rfm_score(frequency, 5, true, 'ntile') OVER (ORDER BY customer) AS f_score,
    rfm_score(monetary, 5, true, 'ntile') OVER (ORDER BY customer) AS m_score
  FROM measures
),
named AS (
  SELECT rfm_segment(r_score, f_score, m_score) AS segment, recency, frequency, monetary FROM scores
)
SELECT
  segment,
  count(*) AS customers,
  round(sum(monetary), 2) AS monetary,
  round(avg(CAST(recency AS DOUBLE PRECISION)), 4) AS avg_recency,
  round(avg(CAST(frequency AS DOUBLE PRECISION)), 4) AS avg_freq
FROM named
GROUP BY segment
ORDER BY segment;
