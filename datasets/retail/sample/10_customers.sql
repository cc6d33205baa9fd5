-- table: customers
-- A row is one member of the sample brand. The member file knows her phone, and for some her WeChat union id.
WITH members AS (
  SELECT
    people.*,
    places.province,
    places.city,
    sample_uniform('gender', person) AS gender_draw,
    sample_uniform('skin', person) AS skin_draw,
    sample_uniform('level', person) AS level_draw,
    1730390400 + 86400 * first_day - CAST(floor(86400 * 3 * sample_uniform('joined', person)) AS BIGINT) AS joined_second,
    array['小', '阿', '糖', '桃', '月', '星', '晴', '云', '果', '夏', '柠', '暖'][1 + CAST(floor(12 * sample_uniform('name 1', person)) AS BIGINT)]
      || array['鱼', '柚', '雨', '宝', '妮', '兔', '雪', '茶', '梨', '米', '岚', '溪'][1 + CAST(floor(12 * sample_uniform('name 2', person)) AS BIGINT)] AS name
  FROM sample_people AS people
  JOIN sample_places AS places ON places.n = people.place_n
  WHERE is_member
)
SELECT
  name || CAST(person % 997 AS TEXT) AS nickname,
  CASE WHEN gender_draw < 0.82 THEN 'female' WHEN gender_draw < 0.95 THEN 'male' END AS gender,
  arrow_cast(CAST(3000 + floor(10500 * sample_uniform('birth', person)) AS INT), 'Date32') AS birth_date,
  CASE
    WHEN skin_draw < 0.22 THEN 'dry' WHEN skin_draw < 0.42 THEN 'oily' WHEN skin_draw < 0.68 THEN 'combination'
    WHEN skin_draw < 0.80 THEN 'sensitive' WHEN skin_draw < 0.90 THEN 'normal'
  END AS skin_type,
  province,
  city,
  CASE WHEN level_draw < 0.6 THEN 'basic' WHEN level_draw < 0.85 THEN 'silver' WHEN level_draw < 0.96 THEN 'gold' ELSE 'diamond' END AS member_level,
  arrow_cast(joined_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS registered_at,
  home_channel AS source_channel,
  CASE WHEN home_channel = 'store' OR owner_guide_id IS NOT NULL THEN store_id END AS store_id,
  owner_guide_id,
  CASE
    WHEN sample_uniform('tags', person) < 0.25 THEN make_array('敏感肌', '直播粉丝')
    WHEN sample_uniform('tags', person) < 0.5 THEN make_array('价格敏感')
    WHEN sample_uniform('tags', person) < 0.65 THEN make_array('新品尝鲜', '送礼')
  END AS tags,
  substr(phone, 1, 3) || '****' || substr(phone, 8, 4) AS phone_masked,
  sample_uniform('consent', person) < 0.83 AS consent_marketing,
  arrow_cast(joined_second * 1000000, 'Timestamp(Microsecond, Some("UTC"))') AS updated_at,
  member_id AS id_member,
  phone AS id_phone,
  CASE WHEN sample_uniform('union known', person) < 0.6 THEN unionid END AS id_unionid
FROM members
