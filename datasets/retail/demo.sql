-- Logins of the demo, one per team. The server lets them in on loopback only.
-- say: Henna serves the sample brand. Each team sees its own rows:
-- say:
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U hq        henna   # headquarters: every row
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U tmall     henna   # the Tmall team
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U douyin    henna   # the Douyin team
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U wecom     henna   # the private-domain team
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U store001  henna   # the manager of store S001
-- say:   PGPASSWORD=henna-demo psql -h {host} -p {port} -U guide001  henna   # shopping guide G001: her customers
-- say:
-- say:   then, for example:  SELECT segment, count(*) FROM mart.rfm GROUP BY 1 ORDER BY 2 DESC;
CREATE USER hq PASSWORD 'henna-demo' IN ROLE headquarters;
CREATE USER wecom PASSWORD 'henna-demo' IN ROLE wecom_team;
CREATE USER tmall PASSWORD 'henna-demo' IN ROLE tmall_team;
CREATE USER douyin PASSWORD 'henna-demo' IN ROLE douyin_team;
CREATE USER store001 PASSWORD 'henna-demo' IN ROLE store_manager;
CREATE USER guide001 PASSWORD 'henna-demo' IN ROLE guide;
ALTER ROLE store001 SET henna.store_id = 'S001';
ALTER ROLE guide001 SET henna.guide_id = 'G001';
