-- A row is one employee on one day. Key: channel, activity_date, guide_id. Reads: source; its days are those of the zone of the platform.
SELECT
  channel,
  CAST(to_timestamp_seconds(stat_time + 8 * 3600) AS DATE) AS activity_date,
  guide_id,
  chats,
  messages,
  reply_percentage / 100 AS reply_share,
  reply_minutes,
  blocked,
  applications,
  contacts_new,
  extras,
  _line,
  _file
FROM source
