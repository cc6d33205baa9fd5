-- A row is one arm of one experiment. Key: experiment_id, variant. Reads: interactions, orders, up to as_of().
-- people: customers whose first event of the experiment put them into the arm. buyers, revenue: their sales (status paid, shipped or completed) in the 30
-- days after it. conversion = buyers / people. People whose 30 days are not over count as they stand.
-- lift, p_value: conversion against the control (ab_ztest), which is the arm whose name comes first; revenue_p_value: revenue a person against it
-- (welch_ttest). NULL for the control. p values are those of one look at one comparison.
-- srm_p_value: whether people were split evenly among all arms (srm_test); below 0.001 the experiment is broken.
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
),
outcomes AS (
  SELECT
    people.experiment_id,
    people.variant,
    sales.one_id IS NOT NULL AS is_buyer,
    coalesce(sales.revenue, 0) AS revenue
  FROM people
  LEFT JOIN sales ON sales.experiment_id = people.experiment_id AND sales.one_id = people.one_id
),
arms AS (
  SELECT
    experiment_id,
    variant,
    count(*) AS people,
    count(*) FILTER (WHERE is_buyer) AS buyers,
    sum(revenue) AS revenue
  FROM outcomes
  GROUP BY experiment_id, variant
),
controls AS (
  SELECT experiment_id, min(variant) AS control, count(*) AS arms FROM arms GROUP BY experiment_id
),
-- A test has a hundred arms at the most.
splits AS (
  SELECT outcomes.experiment_id, srm_test(outcomes.variant) AS split
  FROM outcomes
  JOIN controls ON controls.experiment_id = outcomes.experiment_id
  WHERE controls.arms <= 100
  GROUP BY outcomes.experiment_id
),
tests AS (
  SELECT
    arms.experiment_id,
    arms.variant,
    ab_ztest(outcomes.is_buyer, outcomes.variant) AS conversions,
    welch_ttest(outcomes.revenue, outcomes.variant) AS revenues
  FROM arms
  JOIN controls ON controls.experiment_id = arms.experiment_id AND controls.control <> arms.variant
  JOIN outcomes ON outcomes.experiment_id = arms.experiment_id AND outcomes.variant IN (arms.variant, controls.control)
  GROUP BY arms.experiment_id, arms.variant
)
SELECT
  arms.experiment_id,
  arms.variant,
  arms.people,
  arms.buyers,
  CAST(arms.buyers AS DOUBLE PRECISION) / arms.people AS conversion,
  arms.revenue,
  arms.revenue / arms.people AS revenue_per_person,
  tests.conversions['lift'] AS lift,
  tests.conversions['p_value'] AS p_value,
  tests.revenues['p_value'] AS revenue_p_value,
  splits.split['p_value'] AS srm_p_value
FROM arms
LEFT JOIN tests ON tests.experiment_id = arms.experiment_id AND tests.variant = arms.variant
LEFT JOIN splits ON splits.experiment_id = arms.experiment_id;

COMMENT ON VIEW mart.experiment_results IS 'One row per arm of an experiment: people, buyers, conversion, revenue, and whether they differ from the control';
