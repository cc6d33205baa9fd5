-- A row is one reminder that falls due in the seven days after as_of(). Key: one_id, reason. Reads: customers, orders.
-- reason: birthday (shown only to those who see the day of birth) or cycle (the customer's mean gap between purchase days has run its length
-- since the last one, for customers with two gaps or more). due_date: the day itself, 29 February in leap years only.
-- Only customers who agreed to be written to: no word is no consent, and one record that says no outweighs others of the same person.
CREATE VIEW mart.reminders_due AS
WITH today AS (
  SELECT CAST(as_of() AS DATE) AS day
),
consenting AS (
  SELECT one_id
  FROM customers
  GROUP BY one_id
  HAVING bool_and(coalesce(consent_marketing, FALSE))
),
birthdays AS (
  SELECT customers.one_id, customers.owner_guide_id, today.day + ahead.days AS due_date
  FROM customers
  JOIN consenting ON consenting.one_id = customers.one_id
  CROSS JOIN today
  CROSS JOIN (VALUES (1), (2), (3), (4), (5), (6), (7)) AS ahead (days)
  WHERE date_part('month', customers.birth_date) = date_part('month', today.day + ahead.days)
    AND date_part('day', customers.birth_date) = date_part('day', today.day + ahead.days)
),
cycles AS (
  SELECT one_id, repurchase_cycle(order_time) AS cycle, max(order_time) AS last_order_time
  FROM orders
  WHERE status IN ('paid', 'shipped', 'completed') AND one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
returns AS (
  SELECT
    customers.one_id,
    customers.owner_guide_id,
    CAST(cycles.last_order_time AS DATE) + CAST(round(cycles.cycle['mean_days']) AS INTEGER) AS due_date
  FROM cycles
  JOIN customers ON customers.one_id = cycles.one_id
  JOIN consenting ON consenting.one_id = customers.one_id
  WHERE cycles.cycle['n_gaps'] >= 2
),
reminders AS (
  SELECT one_id, owner_guide_id, 'birthday' AS reason, due_date FROM birthdays
  UNION ALL
  SELECT one_id, owner_guide_id, 'cycle' AS reason, due_date FROM returns
)
SELECT one_id, reason, due_date, owner_guide_id
FROM reminders
CROSS JOIN today
WHERE due_date > today.day AND due_date <= today.day + 7;

COMMENT ON VIEW mart.reminders_due IS 'One row per customer and reason to write to her in the next seven days';
