-- table: interactions
-- A row is one event of a person outside of an order, with the identifiers that its channel hands over. One visit in fifty names nobody.
WITH named AS (
  SELECT
    touches.*,
    people.store_id AS home_store_id,
    people.owner_guide_id,
    is_member, phone, unionid, openid_mini_program, openid_wechat_shop, external_userid, tmall_id, douyin_id, jd_id, member_id,
    fixed_type = 'page_view' AND sample_uniform('nobody', key) < 0.02 AS is_nobody
  FROM sample_touches AS touches
  JOIN sample_people AS people ON people.person = touches.person
)
SELECT
  channel,
  event_id,
  arrow_cast(event_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS event_time,
  coalesce(fixed_type, CASE touchpoint
    WHEN 'ad' THEN 'ad_click' WHEN 'search' THEN 'search_click' WHEN 'live' THEN 'live_view' WHEN 'content' THEN 'content_view'
    WHEN 'message' THEN 'message_open' WHEN 'community' THEN 'community_post' WHEN 'qr_code' THEN 'qr_scan' ELSE 'store_visit'
  END) AS event_type,
  touchpoint,
  CASE WHEN channel = 'store' THEN home_store_id END AS store_id,
  CASE WHEN channel IN ('store', 'wecom') THEN owner_guide_id END AS guide_id,
  campaign_id,
  CASE WHEN touchpoint = 'community' OR fixed_type = 'join_community' THEN 'Q' || lpad(CAST(1 + person % 60 AS TEXT), 3, '0') END AS community_id,
  CASE WHEN touchpoint = 'qr_code' OR fixed_type = 'add_contact' THEN 'CODE' || lpad(CAST(1 + person % 25 AS TEXT), 2, '0') END AS channel_code,
  CASE WHEN touchpoint IN ('content', 'message') THEN 'A' || lpad(CAST(1 + key % 300 AS TEXT), 4, '0') END AS content_id,
  CASE WHEN touchpoint = 'live' THEN 'L' || CASE channel WHEN 'douyin' THEN 'DY' WHEN 'tmall' THEN 'TM' ELSE 'WS' END
    || lpad(CAST((event_second - 1730390400) / 86400 AS TEXT), 3, '0') END AS session_id,
  CASE WHEN fixed_type = 'add_contact' THEN 'WELCOME-COUPON' END AS experiment_id,
  CASE WHEN fixed_type = 'add_contact' THEN CASE person % 2 WHEN 0 THEN 'control' ELSE 'coupon' END END AS variant,
  CASE WHEN touchpoint = 'live' THEN CAST(round(5 + 900 * power(sample_uniform('watched', key), 3), 0) AS DECIMAL(18, 4)) END AS value,
  CASE WHEN fixed_type = 'bind_member' THEN phone END AS id_phone,
  CASE WHEN NOT is_nobody AND (channel IN ('mini_program', 'wechat_shop') OR channel = 'wecom' AND sample_uniform('union shown', key) < 0.5) THEN unionid END AS id_unionid,
  CASE WHEN NOT is_nobody THEN CASE channel WHEN 'mini_program' THEN openid_mini_program WHEN 'wechat_shop' THEN openid_wechat_shop END END AS id_openid,
  CASE WHEN channel = 'tmall' AND NOT is_nobody THEN tmall_id END AS id_tmall,
  CASE WHEN channel = 'douyin' AND NOT is_nobody THEN douyin_id END AS id_douyin,
  CASE WHEN channel = 'jd' AND NOT is_nobody THEN jd_id END AS id_jd,
  CASE WHEN fixed_type = 'bind_member' OR channel = 'store' AND is_member AND NOT is_nobody THEN member_id END AS id_member,
  CASE WHEN channel = 'wecom' AND NOT is_nobody THEN external_userid END AS id_external_userid
FROM named
