-- Who sees what. A team sees the rows of its team, a store its store, a guide her customers and their orders, headquarters everything.
-- Sub-queries in a policy run as the caller under the policies of the table that they read.
-- Policies of guides read customers and those of teams on customers read orders, so one user cannot be in a guide's role and a team's at once.
-- A store manager's items hang on her store's orders by channel and order number together, because numbers repeat between channels.
CREATE ROLE headquarters;
CREATE ROLE wecom_team;
CREATE ROLE tmall_team;
CREATE ROLE douyin_team;
CREATE ROLE store_team;
CREATE ROLE store_manager;
CREATE ROLE guide;

GRANT USAGE ON SCHEMA public TO headquarters, wecom_team, tmall_team, douyin_team, store_team, store_manager, guide;
GRANT USAGE ON SCHEMA mart TO headquarters, wecom_team, tmall_team, douyin_team, store_team, store_manager, guide;
GRANT SELECT ON orders, order_items, interactions, customers, channel_costs
  TO headquarters, wecom_team, tmall_team, douyin_team, store_team, store_manager, guide;
GRANT SELECT ON service_cases, settlements, fund_movements, live_sessions, live_orders, product_days, product_newcomers
  TO headquarters, wecom_team, tmall_team, douyin_team, store_team;
GRANT SELECT ON guide_days TO headquarters, wecom_team, tmall_team, douyin_team, store_team, guide;
GRANT SELECT ON identities, henna.identity_conflicts, mart.identity_statistics TO headquarters;
GRANT SELECT ON mart.rfm, mart.churn_risk, mart.channel_roi, mart.customer_360, mart.lifecycle, mart.cohort_retention, mart.funnel,
    mart.campaign_roi, mart.guide_performance, mart.community_performance, mart.coupon_performance, mart.channel_code_quality,
    mart.repurchase, mart.reminders_due, mart.member_levels, mart.product_affinity, mart.demand_forecast, mart.service_quality,
    mart.experiment_results, mart.live_sales
  TO headquarters, wecom_team, tmall_team, douyin_team, store_team, store_manager, guide;

ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY orders_headquarters ON orders FOR SELECT TO headquarters USING (true);
CREATE POLICY orders_wecom ON orders FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY orders_tmall ON orders FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY orders_douyin ON orders FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY orders_store ON orders FOR SELECT TO store_team USING (team = 'store');
CREATE POLICY orders_store_manager ON orders FOR SELECT TO store_manager USING (store_id = role_attribute('store_id'));
CREATE POLICY orders_guide ON orders FOR SELECT TO guide
  USING (guide_id = role_attribute('guide_id')
         OR one_id IN (SELECT one_id FROM customers WHERE owner_guide_id = role_attribute('guide_id')));

ALTER TABLE order_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY order_items_headquarters ON order_items FOR SELECT TO headquarters USING (true);
CREATE POLICY order_items_wecom ON order_items FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY order_items_tmall ON order_items FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY order_items_douyin ON order_items FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY order_items_store ON order_items FOR SELECT TO store_team USING (team = 'store');
CREATE POLICY order_items_store_manager ON order_items FOR SELECT TO store_manager
  USING ((channel || '/' || order_id) IN (SELECT channel || '/' || order_id FROM orders WHERE store_id = role_attribute('store_id')));
CREATE POLICY order_items_guide ON order_items FOR SELECT TO guide
  USING ((channel || '/' || order_id) IN (SELECT channel || '/' || order_id FROM orders));

ALTER TABLE interactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY interactions_headquarters ON interactions FOR SELECT TO headquarters USING (true);
CREATE POLICY interactions_wecom ON interactions FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY interactions_tmall ON interactions FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY interactions_douyin ON interactions FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY interactions_store ON interactions FOR SELECT TO store_team USING (team = 'store');
CREATE POLICY interactions_store_manager ON interactions FOR SELECT TO store_manager USING (store_id = role_attribute('store_id'));
CREATE POLICY interactions_guide ON interactions FOR SELECT TO guide
  USING (guide_id = role_attribute('guide_id')
         OR one_id IN (SELECT one_id FROM customers WHERE owner_guide_id = role_attribute('guide_id')));

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY customers_headquarters ON customers FOR SELECT TO headquarters USING (true);
CREATE POLICY customers_team ON customers FOR SELECT TO wecom_team, tmall_team, douyin_team, store_team
  USING (one_id IN (SELECT one_id FROM orders) OR one_id IN (SELECT one_id FROM interactions));
CREATE POLICY customers_store_manager ON customers FOR SELECT TO store_manager
  USING (store_id = role_attribute('store_id')
         OR one_id IN (SELECT one_id FROM orders WHERE store_id = role_attribute('store_id')));
CREATE POLICY customers_guide ON customers FOR SELECT TO guide USING (owner_guide_id = role_attribute('guide_id'));

ALTER TABLE identities ENABLE ROW LEVEL SECURITY;
CREATE POLICY identities_headquarters ON identities FOR SELECT TO headquarters USING (true);

ALTER TABLE channel_costs ENABLE ROW LEVEL SECURITY;
CREATE POLICY channel_costs_headquarters ON channel_costs FOR SELECT TO headquarters USING (true);
CREATE POLICY channel_costs_wecom ON channel_costs FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY channel_costs_tmall ON channel_costs FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY channel_costs_douyin ON channel_costs FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY channel_costs_store ON channel_costs FOR SELECT TO store_team USING (team = 'store');
CREATE POLICY channel_costs_single_store ON channel_costs FOR SELECT TO store_manager, guide USING (false);

ALTER TABLE service_cases ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_cases_headquarters ON service_cases FOR SELECT TO headquarters USING (true);
CREATE POLICY service_cases_wecom ON service_cases FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY service_cases_tmall ON service_cases FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY service_cases_douyin ON service_cases FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY service_cases_store ON service_cases FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE settlements ENABLE ROW LEVEL SECURITY;
CREATE POLICY settlements_headquarters ON settlements FOR SELECT TO headquarters USING (true);
CREATE POLICY settlements_wecom ON settlements FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY settlements_tmall ON settlements FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY settlements_douyin ON settlements FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY settlements_store ON settlements FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE fund_movements ENABLE ROW LEVEL SECURITY;
CREATE POLICY fund_movements_headquarters ON fund_movements FOR SELECT TO headquarters USING (true);
CREATE POLICY fund_movements_wecom ON fund_movements FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY fund_movements_tmall ON fund_movements FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY fund_movements_douyin ON fund_movements FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY fund_movements_store ON fund_movements FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE live_sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY live_sessions_headquarters ON live_sessions FOR SELECT TO headquarters USING (true);
CREATE POLICY live_sessions_wecom ON live_sessions FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY live_sessions_tmall ON live_sessions FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY live_sessions_douyin ON live_sessions FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY live_sessions_store ON live_sessions FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE live_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY live_orders_headquarters ON live_orders FOR SELECT TO headquarters USING (true);
CREATE POLICY live_orders_wecom ON live_orders FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY live_orders_tmall ON live_orders FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY live_orders_douyin ON live_orders FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY live_orders_store ON live_orders FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE product_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY product_days_headquarters ON product_days FOR SELECT TO headquarters USING (true);
CREATE POLICY product_days_wecom ON product_days FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY product_days_tmall ON product_days FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY product_days_douyin ON product_days FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY product_days_store ON product_days FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE product_newcomers ENABLE ROW LEVEL SECURITY;
CREATE POLICY product_newcomers_headquarters ON product_newcomers FOR SELECT TO headquarters USING (true);
CREATE POLICY product_newcomers_wecom ON product_newcomers FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY product_newcomers_tmall ON product_newcomers FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY product_newcomers_douyin ON product_newcomers FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY product_newcomers_store ON product_newcomers FOR SELECT TO store_team USING (team = 'store');

ALTER TABLE guide_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY guide_days_headquarters ON guide_days FOR SELECT TO headquarters USING (true);
CREATE POLICY guide_days_wecom ON guide_days FOR SELECT TO wecom_team USING (team = 'wecom');
CREATE POLICY guide_days_tmall ON guide_days FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE POLICY guide_days_douyin ON guide_days FOR SELECT TO douyin_team USING (team = 'douyin');
CREATE POLICY guide_days_store ON guide_days FOR SELECT TO store_team USING (team = 'store');
CREATE POLICY guide_days_guide ON guide_days FOR SELECT TO guide USING (guide_id = role_attribute('guide_id'));

-- Personal columns: NULL except for headquarters and the customer's own guide.
SECURITY LABEL FOR henna ON COLUMN customers.nickname IS
  'CASE WHEN pg_has_role(''headquarters'', ''member'') OR owner_guide_id = role_attribute(''guide_id'') THEN nickname END';
SECURITY LABEL FOR henna ON COLUMN customers.birth_date IS
  'CASE WHEN pg_has_role(''headquarters'', ''member'') OR owner_guide_id = role_attribute(''guide_id'') THEN birth_date END';
SECURITY LABEL FOR henna ON COLUMN customers.phone_masked IS
  'CASE WHEN pg_has_role(''headquarters'', ''member'') OR owner_guide_id = role_attribute(''guide_id'') THEN phone_masked END';
