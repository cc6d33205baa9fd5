-- A row is one customer with at least one sale up to as_of(). Key: one_id. Reads: orders.
-- A sale is an order with status paid, shipped or completed that names a customer.
-- recency_days: local days from the last sale to as_of(). frequency: number of sales. monetary: what was paid for them, refunds not deducted.
-- Scores are fifths of the customers that the caller sees, 5 best. Customers with equal values are told apart by one_id: the lower one gets the lower score first.
-- segment: one of eleven names for the three scores, see rfm_segment.
CREATE VIEW mart.rfm AS
WITH customer_values AS (
  SELECT one_id, rfm(order_time, paid_amount, as_of()) AS summary
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
measures AS (
  SELECT
    one_id,
    summary['recency_days'] AS recency_days,
    summary['frequency'] AS frequency,
    summary['monetary'] AS monetary
  FROM customer_values
),
scores AS (
  SELECT
    one_id,
    recency_days,
    frequency,
    monetary,
    rfm_score(recency_days, 5, false, 'ntile') OVER (ORDER BY one_id) AS r_score,
    rfm_score(frequency, 5, true, 'ntile') OVER (ORDER BY one_id) AS f_score,
    rfm_score(monetary, 5, true, 'ntile') OVER (ORDER BY one_id) AS m_score
  FROM measures
)
SELECT one_id, recency_days, frequency, monetary, r_score, f_score, m_score, rfm_segment(r_score, f_score, m_score) AS segment
FROM scores;

COMMENT ON VIEW mart.rfm IS 'One row per customer: recency, frequency, monetary value, their scores from 1 to 5 and the segment';
