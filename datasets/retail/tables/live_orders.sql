-- A row is one line of an order that the channel puts down to a live-stream session. Key: channel, item_id.
CREATE TABLE live_orders (
  channel          text NOT NULL CHECK (channel <> ''),
  item_id          text NOT NULL CHECK (item_id <> ''),
  ordered_at       timestamptz NOT NULL,
  one_id           bigint,
  team             text NOT NULL,
  order_id         text NOT NULL,
  live_session_id  text NOT NULL,
  anchor           text,
  product_id       text,
  product_name     text,
  paid_at          timestamptz,
  paid_amount      numeric(18, 2),
  confirmed_amount numeric(18, 2),
  extras           json,
  PRIMARY KEY (channel, item_id)
);
COMMENT ON TABLE live_orders IS 'One row per line of an order that its channel puts down to a live-stream session';
COMMENT ON COLUMN live_orders.channel IS 'Channel of the order';
COMMENT ON COLUMN live_orders.item_id IS 'The number that the channel gave the line of the order';
COMMENT ON COLUMN live_orders.ordered_at IS 'When the order was placed';
COMMENT ON COLUMN live_orders.one_id IS 'The customer; NULL where the line names nobody';
COMMENT ON COLUMN live_orders.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN live_orders.order_id IS 'Number of the order within its channel';
COMMENT ON COLUMN live_orders.live_session_id IS 'The session that brought it';
COMMENT ON COLUMN live_orders.anchor IS 'Who presented';
COMMENT ON COLUMN live_orders.product_id IS 'The product''s number within its channel';
COMMENT ON COLUMN live_orders.product_name IS 'Name of the product';
COMMENT ON COLUMN live_orders.paid_at IS 'When it was paid';
COMMENT ON COLUMN live_orders.paid_amount IS 'What the customer paid for the line';
COMMENT ON COLUMN live_orders.confirmed_amount IS 'What of it the customer confirmed on receipt';
COMMENT ON COLUMN live_orders.extras IS 'Fields of the file that have no column here, as a JSON object';
