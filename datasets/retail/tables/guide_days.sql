-- A row is what one guide did with her contacts on one day, as the channel counts it. Key: channel, activity_date, guide_id.
CREATE TABLE guide_days (
  channel       text NOT NULL CHECK (channel <> ''),
  activity_date date NOT NULL,
  guide_id      text NOT NULL CHECK (guide_id <> ''),
  team          text NOT NULL,
  chats         bigint CHECK (chats >= 0),
  messages      bigint CHECK (messages >= 0),
  reply_share   numeric(18, 4) CHECK (reply_share >= 0),
  reply_minutes numeric(18, 4) CHECK (reply_minutes >= 0),
  blocked       bigint CHECK (blocked >= 0),
  applications  bigint CHECK (applications >= 0),
  contacts_new  bigint CHECK (contacts_new >= 0),
  extras        json,
  PRIMARY KEY (channel, activity_date, guide_id)
);
COMMENT ON TABLE guide_days IS 'One row per guide and day: what she did with her contacts, as the channel counts it';
COMMENT ON COLUMN guide_days.channel IS 'Where she did it';
COMMENT ON COLUMN guide_days.activity_date IS 'The day, in the dataset''s time zone';
COMMENT ON COLUMN guide_days.guide_id IS 'The guide';
COMMENT ON COLUMN guide_days.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN guide_days.chats IS 'Contacts with whom there was a conversation';
COMMENT ON COLUMN guide_days.messages IS 'Messages that she sent';
COMMENT ON COLUMN guide_days.reply_share IS 'Share of conversations that she answered, 0 to 1; NULL where there were none';
COMMENT ON COLUMN guide_days.reply_minutes IS 'Minutes until her first answer, on average; NULL where there was none';
COMMENT ON COLUMN guide_days.blocked IS 'Contacts who deleted or blocked her';
COMMENT ON COLUMN guide_days.applications IS 'Requests to be added that she sent';
COMMENT ON COLUMN guide_days.contacts_new IS 'Contacts gained; may exceed the requests, because customers add her, too';
COMMENT ON COLUMN guide_days.extras IS 'Fields of the file that have no column here, as a JSON object';
