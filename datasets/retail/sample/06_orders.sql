-- view: sample_orders
-- A row is one order as it stands at the end, with every identifier that its channel hands over. Key: channel, order_id.
-- Marketplaces star most phone numbers. A starred or empty one is no identifier.
-- One store order in a hundred comes from a guest: it names nobody.
WITH totals AS (
  SELECT
    purchase,
    sum(gross_amount) AS gross_amount,
    sum(paid_amount) AS goods_amount,
    sum(quantity) AS item_count
  FROM sample_lines
  GROUP BY purchase
),
fates AS (
  SELECT
    purchases.*,
    gross_amount,
    goods_amount,
    item_count,
    sample_uniform('fate', purchases.purchase) AS fate,
    sample_uniform('phone', purchases.purchase) AS phone_draw,
    sample_uniform('guest', purchases.purchase) < 0.01 AND channel = 'store' AS is_guest,
    730 - day AS age_days,
    CASE WHEN goods_amount < 99 AND channel <> 'store' THEN 10 ELSE 0 END AS shipping
  FROM sample_purchases AS purchases
  JOIN totals ON totals.purchase = purchases.purchase
),
statuses AS (
  SELECT
    *,
    CASE
      WHEN channel <> 'store' AND fate < 0.03 THEN 'cancelled'
      WHEN channel <> 'store' AND fate < 0.05 THEN 'created'
      WHEN channel = 'store' AND fate >= 0.02 THEN 'completed'
      WHEN age_days <= 2 THEN 'paid'
      WHEN age_days <= 8 THEN 'shipped'
      WHEN fate < CASE channel WHEN 'douyin' THEN 0.15 ELSE 0.10 END THEN 'refunded'
      ELSE 'completed'
    END AS status,
    order_second + 20 + CAST(floor(900 * sample_uniform('pay', purchase)) AS BIGINT) AS pay_second,
    order_second + 259200 + CAST(floor(432000 * sample_uniform('receipt', purchase)) AS BIGINT) AS receipt_second
  FROM fates
)
SELECT
  purchase,
  person,
  channel,
  order_id,
  day,
  order_second,
  arrow_cast(order_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS order_time,
  status,
  CASE WHEN channel = 'store' THEN store_id END AS store_id,
  CASE
    WHEN channel = 'store' THEN coalesce(owner_guide_id, 'G' || lpad(CAST(4 * CAST(substr(store_id, 2) AS BIGINT) - CAST(floor(4 * sample_uniform('served', purchase)) AS BIGINT) AS TEXT), 3, '0'))
    WHEN channel IN ('mini_program', 'wechat_shop', 'wecom') THEN owner_guide_id
  END AS guide_id,
  CASE WHEN channel IN ('mini_program', 'wechat_shop', 'wecom') AND sample_uniform('promoter', purchase) < 0.6 THEN owner_guide_id END AS promoter_guide_id,
  campaign_id,
  CASE WHEN discount_percent > 0 THEN 'CP' || lpad(CAST(discount_percent AS TEXT), 2, '0') END AS coupon_id,
  CASE
    WHEN channel IN ('mini_program', 'wecom') AND sample_uniform('community', purchase) < 0.4
    THEN 'Q' || lpad(CAST(1 + person % 60 AS TEXT), 3, '0')
  END AS community_id,
  CASE
    WHEN channel IN ('douyin', 'wechat_shop') AND sample_uniform('live', purchase) < 0.5
    THEN 'L' || substr(order_id, 1, 2) || lpad(CAST(day AS TEXT), 3, '0')
  END AS live_session_id,
  CAST(gross_amount AS DECIMAL(18, 2)) AS gross_amount,
  CAST(gross_amount - goods_amount AS DECIMAL(18, 2)) AS discount_amount,
  CAST(CASE WHEN status IN ('created', 'cancelled') THEN 0 ELSE goods_amount + shipping END AS DECIMAL(18, 2)) AS paid_amount,
  CAST(CASE WHEN status = 'refunded' THEN goods_amount ELSE 0 END AS DECIMAL(18, 2)) AS refund_amount,
  CAST(shipping AS DECIMAL(18, 2)) AS shipping_amount,
  CAST(item_count AS INTEGER) AS item_count,
  CASE WHEN status NOT IN ('created', 'cancelled') THEN arrow_cast(pay_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') END AS pay_time,
  CASE
    WHEN status IN ('completed', 'refunded')
    THEN arrow_cast((CASE WHEN channel = 'store' THEN pay_second ELSE receipt_second END) * 1000000, 'Timestamp(Microsecond, Some("UTC"))')
  END AS complete_time,
  arrow_cast(
    (CASE
      WHEN status IN ('created', 'cancelled') THEN order_second + 1800
      WHEN channel = 'store' OR status = 'paid' THEN pay_second
      WHEN status = 'shipped' THEN pay_second + 36000
      ELSE receipt_second
    END) * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS updated_at,
  arrow_cast(pay_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS paid_at,
  places.province,
  places.city,
  CASE
    WHEN is_guest THEN NULL
    WHEN channel = 'store' AND phone_draw < 0.9 THEN phone
    WHEN channel = 'store' THEN ''
    WHEN channel = 'mini_program' AND phone_draw < 0.6 THEN phone
    WHEN channel IN ('wechat_shop', 'wecom') AND phone_draw < 0.35 THEN phone
    WHEN channel IN ('tmall', 'jd') AND phone_draw < 0.12 THEN phone
    WHEN phone_draw < 0.85 THEN substr(phone, 1, 3) || '****' || substr(phone, 8, 4)
    ELSE ''
  END AS id_phone,
  CASE WHEN channel IN ('mini_program', 'wechat_shop') OR channel = 'wecom' AND phone_draw > 0.3 THEN unionid END AS id_unionid,
  CASE channel WHEN 'mini_program' THEN openid_mini_program WHEN 'wechat_shop' THEN openid_wechat_shop END AS id_openid,
  CASE WHEN channel = 'tmall' THEN tmall_id END AS id_tmall,
  CASE WHEN channel = 'douyin' THEN douyin_id END AS id_douyin,
  CASE WHEN channel = 'jd' THEN jd_id END AS id_jd,
  CASE WHEN channel = 'store' AND is_member AND NOT is_guest THEN member_id END AS id_member,
  CASE WHEN channel = 'wecom' THEN external_userid END AS id_external_userid
FROM statuses
JOIN sample_places AS places ON places.n = statuses.place_n
