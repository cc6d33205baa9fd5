-- A row is one customer of whom the export tells a phone or an id; her guide is the employee who added her first. Key: one_id. Reads: source.
WITH contacts AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY coalesce(id_external_userid, phone) ORDER BY event_time, _line) AS nth
  FROM source
  WHERE coalesce(id_external_userid, phone) IS NOT NULL AND coalesce(phone, '') NOT LIKE '%*%'
)
SELECT
  'wecom' AS source_channel,
  nickname,
  guide_id AS owner_guide_id,
  event_time AS registered_at,
  CASE WHEN length(phone) >= 11 THEN left(phone, 3) || '****' || right(phone, 4) END AS phone_masked,
  tags,
  phone AS id_phone,
  id_external_userid,
  _line,
  _file
FROM contacts
WHERE nth = 1
