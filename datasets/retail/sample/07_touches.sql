-- view: sample_touches
-- A row is one event of a person outside of an order. Key: event_id.
-- Three kinds: what was met in the three weeks before a purchase, idle visits, and the steps of binding a person to the brand.
-- A `bind_member` event of a marketplace names the shopper by marketplace account, phone and member number:
-- the bridge over which accounts that were strangers until then become one person.
WITH before_purchase AS (
  SELECT
    'P' || CAST(purchase * 4 + n.value AS TEXT) AS event_id,
    purchase * 4 + n.value AS key,
    person,
    order_second - 60 - CAST(floor(1814400 * power(sample_uniform('lead time', purchase * 4 + n.value), 2.5)) AS BIGINT) AS event_second,
    CASE WHEN sample_uniform('touch home', purchase * 4 + n.value) < 0.6 THEN channel END AS fixed_channel,
    CAST(NULL AS TEXT) AS fixed_type,
    campaign_id
  FROM sample_purchases
  CROSS JOIN generate_series(0, 3) AS n
  WHERE n.value < floor(4.4 * sample_uniform('touches', purchase))
),
idle AS (
  SELECT
    'V' || CAST(person * 32 + n.value AS TEXT) AS event_id,
    1000000000 + person * 32 + n.value AS key,
    person,
    1730390400 + 86400 * first_day + CAST(floor(86400 * (730 - first_day) * sample_uniform('idle time', person * 32 + n.value)) AS BIGINT) AS event_second,
    CASE WHEN sample_uniform('idle home', person * 32 + n.value) < 0.7 THEN home_channel END AS fixed_channel,
    CASE
      WHEN sample_uniform('idle kind', person * 32 + n.value) < 0.55 THEN 'page_view'
      WHEN sample_uniform('idle kind', person * 32 + n.value) < 0.58 THEN 'consult'
      WHEN sample_uniform('idle kind', person * 32 + n.value) < 0.59 THEN 'complaint'
    END AS fixed_type,
    CAST(NULL AS TEXT) AS campaign_id
  FROM sample_people
  CROSS JOIN generate_series(0, 11) AS n
  WHERE n.value < 2 + floor(10 * sample_uniform('idle visits', person))
),
steps AS (
  SELECT
    'B' || CAST(person * 8 + n.value AS TEXT) AS event_id,
    2000000000 + person * 8 + n.value AS key,
    person,
    1730390400 + 86400 * first_day + CAST(floor(86400 * 200 * power(sample_uniform('step time', person * 8 + n.value), 2)) AS BIGINT) AS event_second,
    CASE n.value WHEN 2 THEN 'tmall' WHEN 3 THEN 'douyin' WHEN 4 THEN 'jd' ELSE 'wecom' END AS fixed_channel,
    CASE n.value WHEN 0 THEN 'add_contact' WHEN 1 THEN 'join_community' ELSE 'bind_member' END AS fixed_type,
    CAST(NULL AS TEXT) AS campaign_id
  FROM sample_people
  CROSS JOIN generate_series(0, 4) AS n
  WHERE CASE n.value
    WHEN 0 THEN owner_guide_id IS NOT NULL
    WHEN 1 THEN sample_uniform('joins', person) < 0.3
    ELSE is_member AND sample_uniform('binds', person * 8 + n.value)
      < CASE WHEN home_channel = CASE n.value WHEN 2 THEN 'tmall' WHEN 3 THEN 'douyin' ELSE 'jd' END THEN 0.75 ELSE 0.45 END
  END
),
events AS (
  SELECT * FROM before_purchase
  UNION ALL SELECT * FROM idle
  UNION ALL SELECT * FROM steps
),
placed AS (
  SELECT
    *,
    coalesce(fixed_channel, CASE
      WHEN sample_uniform('touch channel', key) < 0.30 THEN 'douyin'
      WHEN sample_uniform('touch channel', key) < 0.55 THEN 'wecom'
      WHEN sample_uniform('touch channel', key) < 0.70 THEN 'tmall'
      WHEN sample_uniform('touch channel', key) < 0.84 THEN 'mini_program'
      WHEN sample_uniform('touch channel', key) < 0.90 THEN 'wechat_shop'
      WHEN sample_uniform('touch channel', key) < 0.94 THEN 'jd'
      ELSE 'store'
    END) AS channel,
    sample_uniform('touchpoint', key) AS draw
  FROM events
  WHERE event_second BETWEEN 1730390400 AND 1793462399
)
SELECT
  *,
  CASE WHEN fixed_type IS NULL THEN
    CASE channel
      WHEN 'tmall' THEN CASE WHEN draw < 0.5 THEN 'search' WHEN draw < 0.85 THEN 'ad' ELSE 'live' END
      WHEN 'douyin' THEN CASE WHEN draw < 0.45 THEN 'live' WHEN draw < 0.8 THEN 'ad' ELSE 'content' END
      WHEN 'jd' THEN CASE WHEN draw < 0.6 THEN 'search' ELSE 'ad' END
      WHEN 'mini_program' THEN CASE WHEN draw < 0.6 THEN 'message' ELSE 'content' END
      WHEN 'wechat_shop' THEN CASE WHEN draw < 0.6 THEN 'live' ELSE 'content' END
      WHEN 'wecom' THEN CASE WHEN draw < 0.6 THEN 'message' ELSE 'community' END
      ELSE CASE WHEN draw < 0.6 THEN 'qr_code' ELSE 'service' END
    END
  END AS touchpoint
FROM placed
