-- A row is one customer added by one employee. Key: channel, event_id. Reads: source, the same rows.
-- The export numbers nothing: the event is known by who added whom and when, hashed, because a name is in it.
SELECT
  channel,
  md5(coalesce(id_external_userid, nickname, '') || '|' || coalesce(guide_id, '') || '|' || CAST(event_time AS TEXT)) AS event_id,
  event_time,
  'add_contact' AS event_type,
  'qr_code' AS touchpoint,
  guide_id,
  channel_code,
  phone AS id_phone,
  id_external_userid,
  _line,
  _file
FROM source
