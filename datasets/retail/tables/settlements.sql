-- A row is what a channel settled with the brand for one line of an order at one time. Key: channel, item_id, settled_at, entry_type.
CREATE TABLE settlements (
  channel         text NOT NULL CHECK (channel <> ''),
  item_id         text NOT NULL CHECK (item_id <> ''),
  settled_at      timestamptz NOT NULL,
  entry_type      text NOT NULL,
  order_id        text NOT NULL,
  team            text NOT NULL,
  ordered_at      timestamptz,
  settled_amount  numeric(18, 2) NOT NULL,
  paid_amount     numeric(18, 2),
  income_amount   numeric(18, 2),
  expense_amount  numeric(18, 2),
  platform_fee    numeric(18, 2),
  commission      numeric(18, 2),
  extras          json,
  PRIMARY KEY (channel, item_id, settled_at, entry_type)
);
COMMENT ON TABLE settlements IS 'One row per line of an order and time at which its channel settled it';
COMMENT ON COLUMN settlements.channel IS 'Channel of the order';
COMMENT ON COLUMN settlements.item_id IS 'The number that the channel gave the line of the order';
COMMENT ON COLUMN settlements.settled_at IS 'When the channel settled it';
COMMENT ON COLUMN settlements.entry_type IS 'Kind of the settlement, in the words of the channel';
COMMENT ON COLUMN settlements.order_id IS 'Number of the order within its channel';
COMMENT ON COLUMN settlements.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN settlements.ordered_at IS 'When the order was placed';
COMMENT ON COLUMN settlements.settled_amount IS 'What the brand received; negative where it paid back';
COMMENT ON COLUMN settlements.paid_amount IS 'What the customer paid';
COMMENT ON COLUMN settlements.income_amount IS 'All that came in, subsidies included';
COMMENT ON COLUMN settlements.expense_amount IS 'All that was taken off, with the sign that the channel writes';
COMMENT ON COLUMN settlements.platform_fee IS 'Fee of the platform, with the sign that the channel writes';
COMMENT ON COLUMN settlements.commission IS 'Commission of those who sold it, with the sign that the channel writes';
COMMENT ON COLUMN settlements.extras IS 'Fields of the file that have no column here, as a JSON object';
