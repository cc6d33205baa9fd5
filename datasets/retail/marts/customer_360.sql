-- A row is one customer of the member file or with a sale up to as_of(), as far as the caller sees them. Key: one_id.
-- Reads: customers, orders, interactions, mart.rfm, mart.churn_risk. Sales, scores and risk are defined there. They are NULL for those who never bought.
-- refunded_orders: orders with status refunded. channels: number of channels with an order. last_channel: channel of the newest order.
-- interactions, last_interaction_time: events up to as_of(). average_order_value: monetary / frequency.
CREATE VIEW mart.customer_360 AS
WITH order_facts AS (
  SELECT
    one_id,
    min(order_time) AS first_order_time,
    count(*) FILTER (WHERE status = 'refunded') AS refunded_orders,
    count(DISTINCT channel) AS channels,
    last_value(channel ORDER BY order_time, order_id) AS last_channel
  FROM orders
  WHERE one_id IS NOT NULL AND order_time <= as_of()
  GROUP BY one_id
),
interaction_facts AS (
  SELECT one_id, count(*) AS interactions, max(event_time) AS last_interaction_time
  FROM interactions
  WHERE one_id IS NOT NULL AND event_time <= as_of()
  GROUP BY one_id
),
buyers AS (
  SELECT
    rfm.one_id,
    rfm.recency_days,
    rfm.frequency,
    rfm.monetary,
    rfm.segment,
    churn.last_order_time,
    churn.mean_gap_days,
    churn.churn_risk,
    churn.churn_level
  FROM mart.rfm AS rfm
  JOIN mart.churn_risk AS churn ON churn.one_id = rfm.one_id
)
SELECT
  coalesce(customers.one_id, buyers.one_id) AS one_id,
  customers.nickname,
  customers.gender,
  customers.birth_date,
  customers.skin_type,
  customers.province,
  customers.city,
  customers.member_level,
  customers.registered_at,
  customers.source_channel,
  customers.store_id,
  customers.owner_guide_id,
  customers.tags,
  customers.phone_masked,
  customers.consent_marketing,
  order_facts.first_order_time,
  buyers.last_order_time,
  buyers.recency_days,
  coalesce(buyers.frequency, 0) AS frequency,
  buyers.monetary,
  buyers.monetary / buyers.frequency AS average_order_value,
  coalesce(order_facts.refunded_orders, 0) AS refunded_orders,
  coalesce(order_facts.channels, 0) AS channels,
  order_facts.last_channel,
  buyers.segment,
  buyers.mean_gap_days,
  buyers.churn_risk,
  buyers.churn_level,
  coalesce(interaction_facts.interactions, 0) AS interactions,
  interaction_facts.last_interaction_time
FROM customers
FULL JOIN buyers ON buyers.one_id = customers.one_id
LEFT JOIN order_facts ON order_facts.one_id = coalesce(customers.one_id, buyers.one_id)
LEFT JOIN interaction_facts ON interaction_facts.one_id = coalesce(customers.one_id, buyers.one_id);

COMMENT ON VIEW mart.customer_360 IS 'One row per customer: profile, purchases, segment, churn risk and last contact';
