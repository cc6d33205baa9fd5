-- A row is one line of an order. Key: channel, order_id, line_no.
CREATE TABLE order_items (
  channel       text NOT NULL CHECK (channel <> ''),
  order_id      text NOT NULL CHECK (order_id <> ''),
  line_no       integer NOT NULL CHECK (line_no >= 1),
  order_time    timestamptz NOT NULL,
  one_id        bigint,
  team          text NOT NULL,
  sku_id        text NOT NULL,
  category      text,
  brand         text,
  product_name  text,
  quantity      integer NOT NULL CHECK (quantity BETWEEN -1000000 AND 1000000),
  unit_price    numeric(18, 4),
  paid_amount   numeric(18, 2),
  refund_amount numeric(18, 2) DEFAULT 0 CHECK (refund_amount >= 0),
  extras        json,
  PRIMARY KEY (channel, order_id, line_no)
);
COMMENT ON TABLE order_items IS 'One row per line of an order';
COMMENT ON COLUMN order_items.channel IS 'Channel of the order';
COMMENT ON COLUMN order_items.order_id IS 'Number of the order within its channel';
COMMENT ON COLUMN order_items.line_no IS 'Position within the order, from 1';
COMMENT ON COLUMN order_items.order_time IS 'When the order was placed';
COMMENT ON COLUMN order_items.one_id IS 'The customer of the order';
COMMENT ON COLUMN order_items.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN order_items.sku_id IS 'Stock keeping unit';
COMMENT ON COLUMN order_items.category IS 'Product category';
COMMENT ON COLUMN order_items.brand IS 'Brand of the product';
COMMENT ON COLUMN order_items.product_name IS 'Name of the product at the time of sale';
COMMENT ON COLUMN order_items.quantity IS 'Pieces; negative on a line that takes goods back';
COMMENT ON COLUMN order_items.unit_price IS 'List price of one piece; a rate with four decimals, not an amount; negative on a booked adjustment';
COMMENT ON COLUMN order_items.paid_amount IS 'What the customer paid for the line after discounts, without shipping';
COMMENT ON COLUMN order_items.refund_amount IS 'What was paid back for the line';
COMMENT ON COLUMN order_items.extras IS 'Fields of the file that have no column here, as a JSON object';
