-- A row is one live-stream session, with what the channel counted. Key: channel, live_session_id.
CREATE TABLE live_sessions (
  channel          text NOT NULL CHECK (channel <> ''),
  live_session_id  text NOT NULL CHECK (live_session_id <> ''),
  started_at       timestamptz NOT NULL,
  team             text NOT NULL,
  title            text,
  views            bigint CHECK (views >= 0),
  viewers          bigint CHECK (viewers >= 0),
  followers_new    bigint,
  product_clickers bigint CHECK (product_clickers >= 0),
  product_clicks   bigint CHECK (product_clicks >= 0),
  cart_adders      bigint CHECK (cart_adders >= 0),
  buyers           bigint CHECK (buyers >= 0),
  items_sold       bigint CHECK (items_sold >= 0),
  orders           bigint CHECK (orders >= 0),
  sold_amount      numeric(18, 2),
  extras           json,
  PRIMARY KEY (channel, live_session_id)
);
COMMENT ON TABLE live_sessions IS 'One row per live-stream session, with what its channel counted';
COMMENT ON COLUMN live_sessions.channel IS 'The channel that showed it';
COMMENT ON COLUMN live_sessions.live_session_id IS 'Number of the session within its channel';
COMMENT ON COLUMN live_sessions.started_at IS 'When it began';
COMMENT ON COLUMN live_sessions.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN live_sessions.title IS 'Its title';
COMMENT ON COLUMN live_sessions.views IS 'Times watched';
COMMENT ON COLUMN live_sessions.viewers IS 'People who watched';
COMMENT ON COLUMN live_sessions.followers_new IS 'People who began to follow';
COMMENT ON COLUMN live_sessions.product_clickers IS 'People who looked at a product';
COMMENT ON COLUMN live_sessions.product_clicks IS 'Times that a product was looked at';
COMMENT ON COLUMN live_sessions.cart_adders IS 'People who put a product into the cart';
COMMENT ON COLUMN live_sessions.buyers IS 'People who bought';
COMMENT ON COLUMN live_sessions.items_sold IS 'Pieces sold';
COMMENT ON COLUMN live_sessions.orders IS 'Orders placed';
COMMENT ON COLUMN live_sessions.sold_amount IS 'What they came to, as the channel counts it';
COMMENT ON COLUMN live_sessions.extras IS 'Fields of the file that have no column here, as a JSON object';
