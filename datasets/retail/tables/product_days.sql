-- A row is one product of a channel on one day, with what the channel counted. Key: channel, stat_date, product_id.
CREATE TABLE product_days (
  channel         text NOT NULL CHECK (channel <> ''),
  stat_date       date NOT NULL,
  product_id      text NOT NULL CHECK (product_id <> ''),
  team            text NOT NULL,
  product_name    text,
  merchant_code   text,
  visitors        bigint CHECK (visitors >= 0),
  views           bigint CHECK (views >= 0),
  favourites      bigint CHECK (favourites >= 0),
  cart_adders     bigint CHECK (cart_adders >= 0),
  cart_items      bigint CHECK (cart_items >= 0),
  order_buyers    bigint CHECK (order_buyers >= 0),
  ordered_items   bigint CHECK (ordered_items >= 0),
  ordered_amount  numeric(18, 2),
  buyers          bigint CHECK (buyers >= 0),
  items_sold      bigint CHECK (items_sold >= 0),
  sold_amount     numeric(18, 2),
  buyers_new      bigint CHECK (buyers_new >= 0),
  buyers_known    bigint CHECK (buyers_known >= 0),
  known_amount    numeric(18, 2),
  refunded_amount numeric(18, 2),
  extras          json,
  PRIMARY KEY (channel, stat_date, product_id)
);
COMMENT ON TABLE product_days IS 'One row per product of a channel and day, with what its channel counted';
COMMENT ON COLUMN product_days.channel IS 'The channel';
COMMENT ON COLUMN product_days.stat_date IS 'The day that is counted';
COMMENT ON COLUMN product_days.product_id IS 'Number of the product within its channel';
COMMENT ON COLUMN product_days.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN product_days.product_name IS 'Its name';
COMMENT ON COLUMN product_days.merchant_code IS 'The shop''s own code of the product';
COMMENT ON COLUMN product_days.visitors IS 'People who looked at it';
COMMENT ON COLUMN product_days.views IS 'Times that it was looked at';
COMMENT ON COLUMN product_days.favourites IS 'People who marked it';
COMMENT ON COLUMN product_days.cart_adders IS 'People who put it into the cart';
COMMENT ON COLUMN product_days.cart_items IS 'Pieces put into the cart';
COMMENT ON COLUMN product_days.order_buyers IS 'People who ordered';
COMMENT ON COLUMN product_days.ordered_items IS 'Pieces ordered';
COMMENT ON COLUMN product_days.ordered_amount IS 'What was ordered';
COMMENT ON COLUMN product_days.buyers IS 'People who paid';
COMMENT ON COLUMN product_days.items_sold IS 'Pieces paid';
COMMENT ON COLUMN product_days.sold_amount IS 'What was paid';
COMMENT ON COLUMN product_days.buyers_new IS 'People who paid here for the first time';
COMMENT ON COLUMN product_days.buyers_known IS 'People who had paid before';
COMMENT ON COLUMN product_days.known_amount IS 'What the latter paid';
COMMENT ON COLUMN product_days.refunded_amount IS 'What was paid back that day';
COMMENT ON COLUMN product_days.extras IS 'Fields of the file that have no column here, as a JSON object';
