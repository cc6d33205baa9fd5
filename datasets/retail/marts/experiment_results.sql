-- A row is one arm of one experiment. Key: experiment_id, variant. Reads: interactions, orders, up to as_of().
-- people: customers whose first event of the experiment put them into the arm. buyers, revenue: their sales (status paid, shipped or completed) in the 30
-- days after it. conversion = buyers / people. People whose 30 days are not over count as they stand.
CREATE VIEW mart.experiment_results AS
WITH people AS (
  SELECT
    experiment_id,
    one_id,
    first_value(variant ORDER BY event_time, event_id) AS variant,
    min(event_time) AS entry_time,
    min(event_time) + INTERVAL '30 days' AS end_time
  FROM interactions
  WHERE experiment_id IS NOT NULL AND variant IS NOT NULL AND one_id IS NOT NULL AND event_time <= as_of()
  GROUP BY experiment_id, one_id
),
sales AS (
  SELECT people.experiment_id, people.one_id, sum(orders.paid_amount) AS revenue
  FROM people
  JOIN orders ON orders.one_id = people.one_id AND orders.order_time >= people.entry_time AND orders.order_time <= people.end_time
  WHERE orders.status IN ('paid', 'shipped', 'completed') AND orders.order_time <= as_of()
  GROUP BY people.experiment_id, people.one_id
)
SELECT
  people.experiment_id,
  people.variant,
  count(*) AS people,
  count(sales.one_id) AS buyers,
  CAST(count(sales.one_id) AS DOUBLE PRECISION) / count(*) AS conversion,
  coalesce(sum(sales.revenue), 0) AS revenue,
  coalesce(sum(sales.revenue), 0) / count(*) AS revenue_per_person
FROM people
LEFT JOIN sales ON sales.experiment_id = people.experiment_id AND sales.one_id = people.one_id
GROUP BY people.experiment_id, people.variant;

COMMENT ON VIEW mart.experiment_results IS 'One row per arm of an experiment: people, buyers, conversion, revenue';
