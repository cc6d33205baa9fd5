-- A row is one order of one channel, in its newest version. Key: channel, order_id.
CREATE TABLE orders (
  channel           text NOT NULL CHECK (channel <> ''),
  order_id          text NOT NULL CHECK (order_id <> ''),
  order_time        timestamptz NOT NULL,
  one_id            bigint,
  team              text NOT NULL,
  status            text NOT NULL CHECK (status IN ('created', 'paid', 'shipped', 'completed', 'refunded', 'cancelled')),
  store_id          text,
  guide_id          text,
  promoter_guide_id text,
  campaign_id       text,
  coupon_id         text,
  community_id      text,
  live_session_id   text,
  gross_amount      numeric(18, 2) CHECK (gross_amount >= 0),
  discount_amount   numeric(18, 2) DEFAULT 0,
  paid_amount       numeric(18, 2) DEFAULT 0 CHECK (paid_amount >= 0),
  refund_amount     numeric(18, 2) DEFAULT 0 CHECK (refund_amount >= 0),
  shipping_amount   numeric(18, 2) DEFAULT 0 CHECK (shipping_amount >= 0),
  item_count        integer CHECK (item_count >= 0),
  currency          text NOT NULL DEFAULT 'CNY' CHECK (length(currency) = 3),
  pay_time          timestamptz,
  complete_time     timestamptz,
  province          text,
  city              text,
  updated_at        timestamptz,
  extras            json,
  PRIMARY KEY (channel, order_id)
);
COMMENT ON TABLE orders IS 'One row per order of a channel, in its newest version';
COMMENT ON COLUMN orders.channel IS 'Where the order was placed: tmall, douyin, jd, mini_program, wechat_shop, wecom, store';
COMMENT ON COLUMN orders.order_id IS 'The order number of the channel, unique within it';
COMMENT ON COLUMN orders.order_time IS 'When the customer placed the order';
COMMENT ON COLUMN orders.one_id IS 'The customer; NULL where the order names nobody';
COMMENT ON COLUMN orders.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN orders.status IS 'created, paid, shipped, completed, refunded or cancelled; paid, shipped and completed count as sales';
COMMENT ON COLUMN orders.store_id IS 'The store that sold or delivered, NULL online';
COMMENT ON COLUMN orders.guide_id IS 'The guide who served the order';
COMMENT ON COLUMN orders.promoter_guide_id IS 'The guide whose link or code brought the order; paid apart from the one who served';
COMMENT ON COLUMN orders.campaign_id IS 'The campaign that the channel names for the order';
COMMENT ON COLUMN orders.coupon_id IS 'The coupon that was redeemed';
COMMENT ON COLUMN orders.community_id IS 'The chat group that the order came from';
COMMENT ON COLUMN orders.live_session_id IS 'The live-stream session that the order came from';
COMMENT ON COLUMN orders.gross_amount IS 'Goods at list price, before any discount';
COMMENT ON COLUMN orders.discount_amount IS 'What coupons and promotions took off';
COMMENT ON COLUMN orders.paid_amount IS 'What the customer paid, shipping included, refunds not deducted; 0 while unpaid';
COMMENT ON COLUMN orders.refund_amount IS 'What was paid back, at most once per order version';
COMMENT ON COLUMN orders.shipping_amount IS 'Shipping charged to the customer';
COMMENT ON COLUMN orders.item_count IS 'Pieces in the order';
COMMENT ON COLUMN orders.currency IS 'ISO 4217 code of all amounts of the row';
COMMENT ON COLUMN orders.pay_time IS 'When it was paid, NULL while unpaid';
COMMENT ON COLUMN orders.complete_time IS 'When the customer confirmed receipt';
COMMENT ON COLUMN orders.province IS 'Province of delivery or of the store';
COMMENT ON COLUMN orders.city IS 'City of delivery or of the store';
COMMENT ON COLUMN orders.updated_at IS 'When the channel last changed the order; the newest version wins';
COMMENT ON COLUMN orders.extras IS 'Fields of the file that have no column here, as a JSON object';
