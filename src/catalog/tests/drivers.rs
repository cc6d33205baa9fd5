//! What drivers and tools ask of the catalog.

use super::Shop;

#[tokio::test]
async fn the_session_tells_who_and_where_it_is() {
    let sql = "SELECT current_user, session_user, current_database(), current_schema, current_schemas(true), pg_backend_pid()";
    assert_eq!(Shop::open().lines(sql).await, ["analyst|analyst|henna|public|[pg_catalog, public]|42"]);
    let version = Shop::open().lines("SELECT version()").await.remove(0);
    assert!(version.starts_with("PostgreSQL 16.6 (Henna "), "{version}");
}

#[tokio::test]
async fn primary_keys_are_told_with_their_positions() {
    let sql = r"SELECT result.column_name, result.key_seq, result.pk_name FROM
        (SELECT a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME,
           information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM
         FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid)
           JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
           JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
         WHERE true AND n.nspname = 'public' AND ct.relname = 'channel_costs' AND i.indisprimary) result
        where result.A_ATTNUM = (result.KEYS).x ORDER BY result.key_seq";
    assert_eq!(Shop::open().lines(sql).await, ["cost_date|1|channel_costs_pkey", "channel|2|channel_costs_pkey"]);
}

#[tokio::test]
async fn a_vector_is_counted_from_zero_and_an_array_from_one() {
    let shop = Shop::open();
    let vector = "SELECT i.indkey[0], i.indkey[1] FROM pg_index i WHERE i.indrelid = 'channel_costs'::regclass";
    assert_eq!(shop.lines(vector).await, ["1|2"]);
    let array = "SELECT conkey[1], conkey[2] FROM pg_constraint WHERE conrelid = 'channel_costs'::regclass";
    assert_eq!(shop.lines(array).await, ["1|2"]);
    let subscripts = "SELECT unnest(indkey) AS attnum, generate_subscripts(indkey, 1) AS ord FROM pg_index WHERE indrelid = 'channel_costs'::regclass";
    assert_eq!(shop.lines(subscripts).await, ["1|0", "2|1"]);
}

#[tokio::test]
async fn arrays_are_spread_beside_their_rows() {
    let sql = r"SELECT i.indrelid::regclass, k.attnum, k.ord FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, ord)
        WHERE i.indrelid = 'public.channel_costs'::regclass ORDER BY 3";
    assert_eq!(Shop::open().lines(sql).await, ["channel_costs|1|1", "channel_costs|2|2"]);
}

#[tokio::test]
async fn any_takes_arrays_of_every_writing() {
    let shop = Shop::open();
    for list in ["'{r,p,\"\"}'", "ARRAY['r','p']", "ARRAY['r'::varchar, 'p'::varchar]"] {
        let sql = format!("SELECT relname FROM pg_class c WHERE c.relkind = ANY({list}) AND relname LIKE 'chan%'");
        assert_eq!(shop.lines(&sql).await, ["channel_costs"], "{list}");
    }
}

#[tokio::test]
async fn functions_of_types_are_names_that_compare_with_zero() {
    let shop = Shop::open();
    let sql = "SELECT typname FROM pg_type WHERE typreceive != 0 AND typreceive::TEXT = 'boolrecv'";
    assert_eq!(shop.lines(sql).await, ["bool"]);
}

#[tokio::test]
async fn information_schema_describes_columns_in_the_standards_words() {
    let sql = r"SELECT column_name, data_type, is_nullable, character_maximum_length, numeric_precision, numeric_scale, udt_name
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders'
          AND column_name IN ('channel', 'total_amount', 'ordered_at') ORDER BY ordinal_position";
    assert_eq!(
        Shop::open().lines(sql).await,
        [
            "ordered_at|timestamp with time zone|NO|NULL|NULL|NULL|timestamptz",
            "channel|character varying|NO|20|NULL|NULL|varchar",
            "total_amount|numeric|NO|NULL|12|2|numeric",
        ]
    );
}

#[tokio::test]
async fn a_lookup_by_the_row_may_find_one_row_only() {
    let shop = Shop::open();
    let one = "SELECT relname, (SELECT nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) FROM pg_class c WHERE relname = 'orders'";
    assert_eq!(shop.lines(one).await, ["orders|public"]);
    let many = "SELECT relname, (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid) FROM pg_class c WHERE relname = 'orders'";
    let error = shop.query(many).await.err().unwrap();
    assert!(error.contains("more than one row returned by a subquery"), "{error}");
}

#[tokio::test]
async fn a_count_of_no_rows_by_the_row_is_zero() {
    let sql = "SELECT relname, (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > c.relnatts - 1) FROM pg_class c WHERE c.relname IN ('orders') ORDER BY 1";
    assert_eq!(Shop::open().lines(sql).await, ["orders|1"]);
    let none = "SELECT relname, (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > c.relnatts) FROM pg_class c WHERE c.relname = 'orders'";
    assert_eq!(Shop::open().lines(none).await, ["orders|0"]);
}

#[tokio::test]
async fn a_parameter_has_the_type_of_the_cast_around_it() {
    let shop = Shop::open();
    let types =
        shop.parameters("SELECT $1::oid, $2::text[] FROM pg_type WHERE oid = ANY($3) AND typlen = $4 LIMIT $5").await;
    assert_eq!(types, ["$1 UInt32", "$2 List(Utf8View)", "$3 List(UInt32)", "$4 Int16", "$5 Int64"]);
}

#[tokio::test]
async fn existence_and_membership_may_be_shown_and_sorted_by() {
    let shop = Shop::open();
    let shown = r"SELECT relname, relname IN (SELECT typname FROM pg_type), EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid)
        FROM pg_class c WHERE relname IN ('orders', 'daily_revenue') ORDER BY 1";
    assert_eq!(shop.lines(shown).await, ["daily_revenue|false|false", "orders|false|true"]);
    let sorted = r"SELECT relname FROM pg_class c WHERE relname IN ('orders', 'daily_revenue')
        ORDER BY CASE WHEN oid IN (SELECT indrelid FROM pg_index) THEN 0 ELSE 1 END";
    assert_eq!(shop.lines(sorted).await, ["orders", "daily_revenue"]);
}

#[tokio::test]
async fn an_oid_is_shown_as_a_number_and_an_oid_type_as_a_name() {
    let sql =
        "SELECT 'orders'::regclass::oid, 'orders'::regclass, 16396::regclass::text, 20::regtype, 'int8'::regtype::oid";
    assert_eq!(Shop::open().lines(sql).await, ["16396|orders|orders|bigint|20"]);
}

#[tokio::test]
async fn a_vector_as_text_is_its_items_with_spaces() {
    let sql = "SELECT indkey::varchar FROM pg_index WHERE indrelid = 'channel_costs'::regclass";
    assert_eq!(Shop::open().lines(sql).await, ["1 2"]);
}

#[tokio::test]
async fn whole_numbers_are_integers_and_row_numbers_bigints() {
    let table = Shop::open()
        .types("SELECT 1, CASE WHEN true THEN 2 END, row_number() OVER (), cardinality(ARRAY[1]), 5000000000")
        .await;
    assert_eq!(table, ["Int32", "Int32", "Int64", "Int32", "Int64"]);
}
