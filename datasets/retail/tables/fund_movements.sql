-- A row is one movement of the brand's account at a channel. Key: channel, movement_id.
CREATE TABLE fund_movements (
  channel     text NOT NULL CHECK (channel <> ''),
  movement_id text NOT NULL CHECK (movement_id <> ''),
  moved_at    timestamptz NOT NULL,
  team        text NOT NULL,
  direction   text NOT NULL CHECK (direction IN ('in', 'out')),
  amount      numeric(18, 2) NOT NULL,
  account     text,
  scene       text,
  order_id    text,
  item_id     text,
  extras      json,
  PRIMARY KEY (channel, movement_id)
);
COMMENT ON TABLE fund_movements IS 'One row per movement of the brand''s account at a channel';
COMMENT ON COLUMN fund_movements.channel IS 'The channel that keeps the account';
COMMENT ON COLUMN fund_movements.movement_id IS 'Number of the movement within its channel';
COMMENT ON COLUMN fund_movements.moved_at IS 'When the money moved';
COMMENT ON COLUMN fund_movements.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN fund_movements.direction IS 'in or out';
COMMENT ON COLUMN fund_movements.amount IS 'How much, with the sign that the channel writes';
COMMENT ON COLUMN fund_movements.account IS 'The account, in the words of the channel';
COMMENT ON COLUMN fund_movements.scene IS 'What for, in the words of the channel';
COMMENT ON COLUMN fund_movements.order_id IS 'The order that it belongs to';
COMMENT ON COLUMN fund_movements.item_id IS 'The number that the channel gave the line of the order';
COMMENT ON COLUMN fund_movements.extras IS 'Fields of the file that have no column here, as a JSON object';
