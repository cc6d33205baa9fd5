-- view: sample_people
-- A row is one person who ever meets the sample brand. Key: person, from 1.
-- Days count from 2024-11-01, the first of 730. rate: purchases a day while the person stays. stay_days: how long she does.
-- Both differ from person to person, so that a model of who will come back has something to find.
-- Phone numbers run through their range by a step that is prime to its size, so that no two people share one by chance.
-- Thirty people of every six thousand give the phone of a front desk instead: an identifier that many share.
WITH draws AS (
  SELECT
    value AS person,
    sample_uniform('home', value) AS home,
    sample_uniform('place', value) AS place,
    power(sample_uniform('store', value), 1.5) AS store,
    sqrt(-2 * ln(1 - sample_uniform('rate radius', value))) * cos(2 * pi() * sample_uniform('rate angle', value)) AS rate_z,
    sqrt(-2 * ln(1 - sample_uniform('stay radius', value))) * cos(2 * pi() * sample_uniform('stay angle', value)) AS stay_z
  FROM generate_series(1, 25 * {permille})
),
homes AS (
  SELECT
    *,
    CASE
      WHEN home < 0.28 THEN 'tmall'
      WHEN home < 0.52 THEN 'douyin'
      WHEN home < 0.62 THEN 'jd'
      WHEN home < 0.75 THEN 'mini_program'
      WHEN home < 0.82 THEN 'wechat_shop'
      WHEN home < 0.87 THEN 'wecom'
      ELSE 'store'
    END AS home_channel,
    1 + CAST(floor(40 * store) AS BIGINT) AS store_n,
    1 + CAST(floor(20 * power(place, 1.4)) AS BIGINT) AS place_n
  FROM draws
)
SELECT
  person,
  home_channel,
  CAST(floor(715 * power(sample_uniform('first day', person), 1.6)) AS BIGINT) AS first_day,
  least(exp(-4.25 + 0.85 * rate_z), 0.08) AS rate,
  -ln(1 - sample_uniform('stay', person)) * exp(5.3 + stay_z) AS stay_days,
  sample_uniform('buyer', person) < 0.95 AS is_buyer,
  sample_uniform('member', person) < 0.94 AS is_member,
  place_n,
  'S' || lpad(CAST(store_n AS TEXT), 3, '0') AS store_id,
  CASE
    WHEN home_channel IN ('store', 'wecom') OR sample_uniform('bound', person) < 0.22
    THEN 'G' || lpad(CAST(4 * (store_n - 1) + 1 + CAST(floor(4 * sample_uniform('guide', person)) AS BIGINT) AS TEXT), 3, '0')
  END AS owner_guide_id,
  CASE
    WHEN person % 6000 BETWEEN 101 AND 130 THEN CAST(18800000000 + person / 6000 AS TEXT)
    ELSE CAST(13000000000 + (person * 7919003) % 2000000000 AS TEXT)
  END AS phone,
  'oU6' || substr(md5('union ' || CAST(person AS TEXT)), 1, 25) AS unionid,
  'oMp' || substr(md5('mini program ' || CAST(person AS TEXT)), 1, 25) AS openid_mini_program,
  'oWs' || substr(md5('wechat shop ' || CAST(person AS TEXT)), 1, 25) AS openid_wechat_shop,
  'wm' || substr(md5('contact ' || CAST(person AS TEXT)), 1, 28) AS external_userid,
  'tb' || CAST(220000000 + person * 97 AS TEXT) AS tmall_id,
  CAST(68000000000000 + person * 10007 AS TEXT) AS douyin_id,
  'jd_' || substr(md5('jd ' || CAST(person AS TEXT)), 1, 12) AS jd_id,
  'M' || lpad(CAST(person AS TEXT), 9, '0') AS member_id
FROM homes
