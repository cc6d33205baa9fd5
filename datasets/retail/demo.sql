-- Logins of the demo, one per team. The server lets them in on loopback only.
CREATE USER hq PASSWORD 'henna-demo' IN ROLE headquarters;
CREATE USER wecom PASSWORD 'henna-demo' IN ROLE wecom_team;
CREATE USER tmall PASSWORD 'henna-demo' IN ROLE tmall_team;
CREATE USER douyin PASSWORD 'henna-demo' IN ROLE douyin_team;
CREATE USER store001 PASSWORD 'henna-demo' IN ROLE store_manager;
CREATE USER guide001 PASSWORD 'henna-demo' IN ROLE guide;
ALTER ROLE store001 SET henna.store_id = 'S001';
ALTER ROLE guide001 SET henna.guide_id = 'G001';
