-- A row is what one product of a channel did with new customers on one day. Key: channel, stat_date, product_id.
CREATE TABLE product_newcomers (
  channel           text NOT NULL CHECK (channel <> ''),
  stat_date         date NOT NULL,
  product_id        text NOT NULL CHECK (product_id <> ''),
  team              text NOT NULL,
  product_name      text,
  visitors_new      bigint CHECK (visitors_new >= 0),
  buyers_new        bigint CHECK (buyers_new >= 0),
  buyers_new_share  double precision,
  sold_amount       numeric(18, 2),
  sold_amount_share double precision,
  fee_share         double precision,
  extras            json,
  PRIMARY KEY (channel, stat_date, product_id)
);
COMMENT ON TABLE product_newcomers IS 'One row per product of a channel and day, with the new customers that it won';
COMMENT ON COLUMN product_newcomers.channel IS 'The channel';
COMMENT ON COLUMN product_newcomers.stat_date IS 'The day that is counted';
COMMENT ON COLUMN product_newcomers.product_id IS 'Number of the product within its channel';
COMMENT ON COLUMN product_newcomers.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN product_newcomers.product_name IS 'Its name';
COMMENT ON COLUMN product_newcomers.visitors_new IS 'People who looked at it for the first time';
COMMENT ON COLUMN product_newcomers.buyers_new IS 'New customers who paid';
COMMENT ON COLUMN product_newcomers.buyers_new_share IS 'Of all who paid, 0 to 1';
COMMENT ON COLUMN product_newcomers.sold_amount IS 'What new customers paid';
COMMENT ON COLUMN product_newcomers.sold_amount_share IS 'Of all that was paid, 0 to 1';
COMMENT ON COLUMN product_newcomers.fee_share IS 'What the channel takes for a new customer, 0 to 1';
COMMENT ON COLUMN product_newcomers.extras IS 'Fields of the file that have no column here, as a JSON object';
