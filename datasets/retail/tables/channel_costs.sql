-- A row is what one campaign of one channel cost on one day. Key: cost_date, channel, campaign_id.
CREATE TABLE channel_costs (
  cost_date   date NOT NULL,
  channel     text NOT NULL CHECK (channel <> ''),
  campaign_id text NOT NULL DEFAULT '',
  team        text NOT NULL,
  cost        numeric(18, 2) NOT NULL CHECK (cost >= 0),
  impressions bigint CHECK (impressions >= 0),
  clicks      bigint CHECK (clicks >= 0),
  PRIMARY KEY (cost_date, channel, campaign_id)
);
COMMENT ON TABLE channel_costs IS 'One row per day, channel and campaign: what it cost';
COMMENT ON COLUMN channel_costs.cost_date IS 'Day of the cost, in the dataset''s time zone';
COMMENT ON COLUMN channel_costs.channel IS 'The channel that was paid for';
COMMENT ON COLUMN channel_costs.campaign_id IS 'The campaign, empty where the cost belongs to none';
COMMENT ON COLUMN channel_costs.team IS 'The team that owns the channel; decides who sees the row';
COMMENT ON COLUMN channel_costs.cost IS 'Money spent: media, commission, staff incentives';
COMMENT ON COLUMN channel_costs.impressions IS 'Times shown';
COMMENT ON COLUMN channel_costs.clicks IS 'Times clicked';
