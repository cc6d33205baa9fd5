-- A row is one thing that a person did with the brand outside of an order. Key: channel, event_id.
CREATE TABLE interactions (
  channel       text NOT NULL CHECK (channel <> ''),
  event_id      text NOT NULL CHECK (event_id <> ''),
  event_time    timestamptz NOT NULL,
  one_id        bigint,
  team          text NOT NULL,
  event_type    text NOT NULL CHECK (event_type <> ''),
  touchpoint    text,
  store_id      text,
  guide_id      text,
  campaign_id   text,
  community_id  text,
  channel_code  text,
  content_id    text,
  session_id    text,
  experiment_id text,
  variant       text,
  value         numeric(18, 4),
  properties    json,
  PRIMARY KEY (channel, event_id)
);
COMMENT ON TABLE interactions IS 'One row per event of a person with the brand outside of an order';
COMMENT ON COLUMN interactions.channel IS 'Where it happened: tmall, douyin, jd, mini_program, wechat_shop, wecom, store';
COMMENT ON COLUMN interactions.event_id IS 'The event number of the channel, unique within it';
COMMENT ON COLUMN interactions.event_time IS 'When it happened';
COMMENT ON COLUMN interactions.one_id IS 'The person; NULL where the event names nobody';
COMMENT ON COLUMN interactions.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN interactions.event_type IS 'What the person did: ad_click, live_view, message_open, coupon_receive, qr_scan, store_visit, page_view, add_contact, join_community, bind_member, consult, complaint';
COMMENT ON COLUMN interactions.touchpoint IS 'The marketing that was met: ad, search, live, content, message, community, qr_code, service; NULL where it was no marketing';
COMMENT ON COLUMN interactions.store_id IS 'The store where it happened';
COMMENT ON COLUMN interactions.guide_id IS 'The guide who took part';
COMMENT ON COLUMN interactions.campaign_id IS 'The campaign that it belongs to';
COMMENT ON COLUMN interactions.community_id IS 'The chat group where it happened';
COMMENT ON COLUMN interactions.channel_code IS 'The QR code or link that brought the person';
COMMENT ON COLUMN interactions.content_id IS 'The article, video or message';
COMMENT ON COLUMN interactions.session_id IS 'The visit or live session that it was part of';
COMMENT ON COLUMN interactions.experiment_id IS 'The experiment that the person took part in';
COMMENT ON COLUMN interactions.variant IS 'The arm of the experiment';
COMMENT ON COLUMN interactions.value IS 'A number that belongs to the event type: seconds watched, a rating, points';
COMMENT ON COLUMN interactions.properties IS 'Further fields, as a JSON object';
