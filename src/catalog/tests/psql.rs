//! What psql asks for its backslash commands.

use super::Shop;

#[tokio::test]
async fn describe_finds_a_relation_by_its_pattern() {
    let sql = r"SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default
          AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3";
    assert_eq!(Shop::open().lines(sql).await, ["16396|public|orders"]);
}

#[tokio::test]
async fn describe_lists_columns_with_types_and_defaults() {
    let sql = r"SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
          (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d
           WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
          a.attnotnull,
          (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
           WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation,
          a.attidentity, pg_catalog.col_description(a.attrelid, a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = '16396' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let shop = Shop::open();
    assert_eq!(
        shop.lines(sql).await,
        [
            "order_id|bigint|NULL|true|NULL||NULL",
            "customer_id|bigint|NULL|true|NULL||NULL",
            "ordered_at|timestamp with time zone|NULL|true|NULL||NULL",
            "order_date|date|NULL|true|NULL||NULL",
            "status|text|'created'|true|NULL||NULL",
            "channel|character varying(20)|NULL|true|NULL||NULL",
            "total_amount|numeric(12,2)|NULL|true|NULL||Sum of qty * unit_price over the items",
            "meta|jsonb|NULL|false|NULL||NULL",
        ]
    );
    let names = shop.query(sql).await.unwrap().names;
    assert_eq!(
        names,
        ["attname", "format_type", "pg_get_expr", "attnotnull", "attcollation", "attidentity", "col_description"]
    );
}

#[tokio::test]
async fn describe_lists_indexes_and_keys() {
    let shop = Shop::open();
    let indexes = r"SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true),
          pg_catalog.pg_get_constraintdef(con.oid, true), contype
        FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i
          LEFT JOIN pg_catalog.pg_constraint con
            ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x'))
        WHERE c.oid = '16432' AND c.oid = i.indrelid AND i.indexrelid = c2.oid
        ORDER BY i.indisprimary DESC, c2.relname";
    assert_eq!(
        shop.lines(indexes).await,
        [
            "channel_costs_pkey|true|true|CREATE UNIQUE INDEX channel_costs_pkey ON public.channel_costs USING btree (cost_date, channel)|PRIMARY KEY (cost_date, channel)|p"
        ]
    );
    let foreign = r"SELECT true as sametable, conname, pg_catalog.pg_get_constraintdef(r.oid, true) as condef,
          conrelid::pg_catalog.regclass AS ontable
        FROM pg_catalog.pg_constraint r WHERE r.conrelid = '16396' AND r.contype = 'f' AND conparentid = 0 ORDER BY conname";
    assert_eq!(
        shop.lines(foreign).await,
        ["true|orders_customer_id_fkey|FOREIGN KEY (customer_id) REFERENCES customers(customer_id)|orders"]
    );
    let referencing = r"SELECT conname, conrelid::pg_catalog.regclass AS ontable FROM pg_catalog.pg_constraint c
        WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('16389')
                            UNION ALL VALUES ('16389'::pg_catalog.regclass))
          AND contype = 'f' AND conparentid = 0 ORDER BY conname";
    assert_eq!(shop.lines(referencing).await, ["orders_customer_id_fkey|orders"]);
}

#[tokio::test]
async fn describe_shows_policies_with_their_roles() {
    let sql = r"SELECT pol.polname, pol.polpermissive,
          CASE WHEN pol.polroles = '{0}' THEN NULL ELSE pg_catalog.array_to_string(
            array(select rolname from pg_catalog.pg_roles where oid = any (pol.polroles) order by 1),',') END,
          pg_catalog.pg_get_expr(pol.polqual, pol.polrelid)
        FROM pg_catalog.pg_policy pol WHERE pol.polrelid = '16396' ORDER BY 1";
    assert_eq!(
        Shop::open().lines(sql).await,
        [
            "all_see|true|NULL|team = current_setting('henna.team')",
            "own_team|true|analyst,readers|team = current_setting('henna.team')",
        ]
    );
}

#[tokio::test]
async fn tables_and_views_are_listed_with_size_and_comment() {
    let sql = r#"SELECT n.nspname as "Schema", c.relname as "Name",
          CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END as "Type",
          pg_catalog.pg_get_userbyid(c.relowner) as "Owner",
          pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) as "Size",
          pg_catalog.obj_description(c.oid, 'pg_class') as "Description"
        FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
        WHERE c.relkind IN ('r','p','v','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast'
          AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2"#;
    assert_eq!(
        Shop::open().lines(sql).await,
        [
            "public|channel_costs|table|admin|16 kB|NULL",
            "public|customers|table|admin|16 kB|NULL",
            "public|daily_revenue|view|admin|16 kB|NULL",
            "public|interactions|table|admin|16 kB|NULL",
            "public|order_items|table|admin|16 kB|NULL",
            "public|orders|table|admin|16 kB|One row per order",
        ]
    );
}

#[tokio::test]
async fn roles_are_listed_with_what_they_belong_to() {
    let sql = r"SELECT r.rolname, r.rolsuper,
          ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m
                JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof
        FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1";
    assert_eq!(Shop::open().lines(sql).await, ["admin|true|[]", "analyst|false|[readers]", "readers|false|[]"]);
}

#[tokio::test]
async fn privileges_are_listed_with_policies_inside() {
    let sql = r"SELECT c.relname, pg_catalog.array_to_string(c.relacl, E'\n') AS acl,
          pg_catalog.array_to_string(ARRAY(
            SELECT polname || CASE WHEN polcmd != '*' THEN E' (' || polcmd::pg_catalog.text || E'):' ELSE E':' END
              || CASE WHEN polroles <> '{0}' THEN E' to: ' || pg_catalog.array_to_string(
                   ARRAY(SELECT rolname FROM pg_catalog.pg_roles WHERE oid = ANY (polroles) ORDER BY 1), E', ')
                 ELSE E'' END
            FROM pg_catalog.pg_policy pol WHERE polrelid = c.oid), ' / ') AS policies
        FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r','v') AND n.nspname !~ '^pg_' AND pg_catalog.pg_table_is_visible(c.oid)
          AND c.relname IN ('orders', 'customers') ORDER BY 1";
    assert_eq!(
        Shop::open().lines(sql).await,
        [
            "customers|admin=arwd/admin\nanalyst=r/admin|",
            "orders|admin=arwd/admin\nanalyst=r/admin|own_team (r): to: analyst, readers / all_see:",
        ]
    );
}

#[tokio::test]
async fn databases_schemas_and_functions_are_listed() {
    let shop = Shop::open();
    let databases = r#"SELECT d.datname as "Name", pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding",
          CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS "Locale Provider",
          pg_catalog.array_to_string(d.datacl, E'\n') AS "Access privileges",
          CASE WHEN pg_catalog.has_database_privilege(d.datname, 'CONNECT') THEN 'yes' ELSE 'No Access' END as "Size"
        FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t on d.dattablespace = t.oid ORDER BY 1"#;
    assert_eq!(shop.lines(databases).await, ["henna|UTF8|libc|NULL|yes"]);
    let schemas = r"SELECT n.nspname, pg_catalog.pg_get_userbyid(n.nspowner), pg_catalog.array_to_string(n.nspacl, E','),
          pg_catalog.obj_description(n.oid, 'pg_namespace')
        FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";
    assert_eq!(shop.lines(schemas).await, ["public|admin|admin=UC/admin,=U/admin|standard public schema"]);
    let functions = r"SELECT p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid),
          CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' ELSE 'func' END
        FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE pg_catalog.pg_function_is_visible(p.oid) AND n.nspname <> 'pg_catalog' ORDER BY 1, 2";
    assert_eq!(shop.lines(functions).await, ["rfm_score|integer|value numeric, n integer|func"]);
}

#[tokio::test]
async fn the_oid_of_a_system_relation_is_its_tableoid() {
    let sql = "SELECT l.lanname, l.tableoid FROM pg_language l WHERE l.lanname = 'sql'";
    assert_eq!(Shop::open().lines(sql).await, ["sql|2612"]);
}

#[tokio::test]
async fn passwords_are_not_for_reading() {
    let error = Shop::open().query("SELECT * FROM pg_authid").await.err().unwrap();
    assert!(error.contains("permission denied for table pg_authid"), "{error}");
    assert_eq!(Shop::open().lines("SELECT DISTINCT rolpassword FROM pg_roles").await, ["********"]);
}

#[tokio::test]
async fn a_relation_that_is_absent_is_named_in_the_error() {
    let error = Shop::open().query("SELECT 'nothing'::regclass").await.err().unwrap();
    assert!(error.contains("relation \"nothing\" does not exist"), "{error}");
}
