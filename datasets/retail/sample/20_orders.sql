-- table: orders
-- A row is one order as the channel first reported it: every eighth of the delivered ones is still at `paid`. The next file moves those on.
-- One in forty stands here twice, in both versions.
SELECT
  channel, order_id, order_time,
  CASE WHEN version.value = 1 THEN status ELSE 'paid' END AS status,
  store_id, guide_id, promoter_guide_id, campaign_id, coupon_id, community_id, live_session_id,
  gross_amount, discount_amount, paid_amount,
  CASE WHEN version.value = 1 THEN refund_amount ELSE CAST(0 AS DECIMAL(18, 2)) END AS refund_amount,
  shipping_amount, item_count, 'CNY' AS currency, pay_time,
  CASE WHEN version.value = 1 THEN complete_time END AS complete_time,
  province, city,
  CASE WHEN version.value = 1 THEN updated_at ELSE paid_at END AS updated_at,
  id_phone, id_unionid, id_openid, id_tmall, id_douyin, id_jd, id_member, id_external_userid
FROM sample_orders
CROSS JOIN generate_series(0, 1) AS version
WHERE CASE
  WHEN channel = 'store' OR status NOT IN ('shipped', 'completed', 'refunded') THEN version.value = 1
  WHEN purchase % 8 = 3 THEN version.value = 0
  WHEN purchase % 40 = 4 THEN true
  ELSE version.value = 1
END
