-- A row is one after-sale case of one channel, in its newest version. Key: channel, case_id.
CREATE TABLE service_cases (
  channel                text NOT NULL CHECK (channel <> ''),
  case_id                text NOT NULL CHECK (case_id <> ''),
  opened_at              timestamptz NOT NULL,
  team                   text NOT NULL,
  order_id               text,
  item_id                text,
  case_type              text,
  status                 text,
  reason                 text,
  sku_id                 text,
  product_name           text,
  refund_amount          numeric(18, 2) NOT NULL DEFAULT 0 CHECK (refund_amount >= 0),
  shipping_refund_amount numeric(18, 2) NOT NULL DEFAULT 0 CHECK (shipping_refund_amount >= 0),
  refunded_at            timestamptz,
  closed_at              timestamptz,
  extras                 json,
  PRIMARY KEY (channel, case_id)
);
COMMENT ON TABLE service_cases IS 'One row per after-sale case of a channel, in its newest version';
COMMENT ON COLUMN service_cases.channel IS 'Channel of the order';
COMMENT ON COLUMN service_cases.case_id IS 'Number of the case within its channel';
COMMENT ON COLUMN service_cases.opened_at IS 'When the customer asked';
COMMENT ON COLUMN service_cases.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN service_cases.order_id IS 'The order that it is about';
COMMENT ON COLUMN service_cases.item_id IS 'The number that the channel gave the line of the order';
COMMENT ON COLUMN service_cases.case_type IS 'What is asked for, in the words of the channel';
COMMENT ON COLUMN service_cases.status IS 'How far it is, in the words of the channel';
COMMENT ON COLUMN service_cases.reason IS 'Why, in the words of the channel';
COMMENT ON COLUMN service_cases.sku_id IS 'Stock keeping unit';
COMMENT ON COLUMN service_cases.product_name IS 'Name of the product';
COMMENT ON COLUMN service_cases.refund_amount IS 'What is given back for goods';
COMMENT ON COLUMN service_cases.shipping_refund_amount IS 'What is given back for shipping';
COMMENT ON COLUMN service_cases.refunded_at IS 'When the shop gave the money back';
COMMENT ON COLUMN service_cases.closed_at IS 'When the case ended';
COMMENT ON COLUMN service_cases.extras IS 'Fields of the file that have no column here, as a JSON object';
