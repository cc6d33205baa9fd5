-- view: sample_purchases
-- A row is one purchase of a person. Key: purchase = person * 64 + k, k from 0.
-- The first purchase falls on the person's first day. After it, sixty-three slots lie anywhere in the two years.
-- One becomes a purchase where the person is still there, with a chance that gives her own rate: a Poisson process in all but name.
-- Purchases near 11 November and 18 June are partly drawn to the day itself.
WITH slots AS (
  SELECT
    people.*,
    person * 64 + k.value AS purchase,
    CASE WHEN k.value = 0 THEN first_day ELSE CAST(floor(730 * sample_uniform('slot', person * 64 + k.value)) AS BIGINT) END AS walked_day
  FROM sample_people AS people
  CROSS JOIN generate_series(0, 63) AS k
  WHERE is_buyer AND (k.value = 0 OR sample_uniform('taken', person * 64 + k.value) < rate * 730 / 63)
),
days AS (
  SELECT * FROM slots WHERE walked_day BETWEEN first_day AND first_day + stay_days
),
pulled AS (
  SELECT
    *,
    CASE
      WHEN walked_day BETWEEN 0 AND 29 THEN 10
      WHEN walked_day BETWEEN 202 AND 237 THEN 229
      WHEN walked_day BETWEEN 345 AND 394 THEN 375
      WHEN walked_day BETWEEN 567 AND 602 THEN 594
    END AS feast_day,
    sample_uniform('channel', purchase) AS channel_draw,
    sample_uniform('other channel', purchase) AS other_draw
  FROM days
),
placed AS (
  SELECT
    *,
    CASE WHEN feast_day IS NOT NULL AND sample_uniform('feast', purchase) < 0.42 THEN feast_day ELSE walked_day END AS day,
    CASE
      WHEN channel_draw < 0.72 THEN home_channel
      WHEN other_draw < 0.22 THEN 'tmall'
      WHEN other_draw < 0.42 THEN 'douyin'
      WHEN other_draw < 0.52 THEN 'jd'
      WHEN other_draw < 0.72 THEN 'mini_program'
      WHEN other_draw < 0.80 THEN 'wechat_shop'
      WHEN other_draw < 0.86 THEN 'wecom'
      ELSE 'store'
    END AS channel
  FROM pulled
)
SELECT
  placed.*,
  CASE channel
    WHEN 'tmall' THEN 'TM' WHEN 'douyin' THEN 'DY' WHEN 'jd' THEN 'JD' WHEN 'mini_program' THEN 'MP'
    WHEN 'wechat_shop' THEN 'WS' WHEN 'wecom' THEN 'WC' ELSE 'ST'
  END || lpad(CAST(purchase AS TEXT), 12, '0') AS order_id,
  1730390400 + 86400 * day
    + CAST(floor(CASE
        WHEN channel = 'store' THEN 36000 + 39600 * sample_uniform('hour', purchase)
        ELSE 28800 + 57000 * sqrt(sample_uniform('hour', purchase))
      END) AS BIGINT) AS order_second,
  CASE
    WHEN sample_uniform('coupon', purchase) < 0.45 THEN 0
    ELSE 5 * (1 + CAST(floor(4 * sample_uniform('coupon depth', purchase)) AS BIGINT))
  END + CASE WHEN day = feast_day THEN 10 ELSE 0 END AS discount_percent,
  CASE
    WHEN day BETWEEN feast_day - 10 AND feast_day + 9 AND sample_uniform('feast campaign', purchase) < 0.6
    THEN CASE feast_day WHEN 10 THEN 'D11-2024' WHEN 229 THEN '618-2025' WHEN 375 THEN 'D11-2025' ELSE '618-2026' END
    WHEN sample_uniform('campaign', purchase) < 0.35 THEN 'ALWAYS-ON'
  END AS campaign_id
FROM placed
