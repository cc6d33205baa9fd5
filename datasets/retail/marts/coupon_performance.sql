-- A row is one coupon. Key: coupon_id. Reads: orders, up to as_of().
-- redeemed: orders that were paid with it, whether refunded later or not. kept: those with status paid, shipped or completed.
-- revenue, discount: of the kept ones. discount_share = discount / (revenue + discount). refund_share = refunded / redeemed.
CREATE VIEW mart.coupon_performance AS
WITH totals AS (
  SELECT
    coupon_id,
    count(*) AS redeemed,
    count(*) FILTER (WHERE status <> 'refunded') AS kept,
    count(DISTINCT one_id) AS buyers,
    coalesce(sum(paid_amount) FILTER (WHERE status <> 'refunded'), 0) AS revenue,
    coalesce(sum(discount_amount) FILTER (WHERE status <> 'refunded'), 0) AS discount
  FROM orders
  WHERE coupon_id IS NOT NULL AND status IN ('paid', 'shipped', 'completed', 'refunded') AND order_time <= as_of()
  GROUP BY coupon_id
)
SELECT
  coupon_id,
  redeemed,
  kept,
  buyers,
  revenue,
  discount,
  CAST(discount AS DOUBLE PRECISION) / nullif(CAST(revenue + discount AS DOUBLE PRECISION), 0) AS discount_share,
  CAST(redeemed - kept AS DOUBLE PRECISION) / redeemed AS refund_share
FROM totals;

COMMENT ON VIEW mart.coupon_performance IS 'One row per coupon: redemptions, what they sold, what they cost, how many came back';
