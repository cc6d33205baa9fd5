//! The catalog as clients meet it: a small shop, a session context of system tables, functions and the rewrite.

mod drivers;
mod psql;
mod sweep;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::model::*;
use super::{
    CatalogHandle, CatalogSession, SettingScope, SystemSchema, analyzer_rule, functions, infer_parameters, rewrite,
    shown_name,
};
use crate::dataset::{Check, Column, ForeignKey, SqlType};

fn column(name: &str, sql_type: SqlType, nullable: bool) -> Column {
    Column { name: name.into(), sql_type, nullable, default: None, comment: None }
}

fn table(oid: u32, name: &str, columns: Vec<Column>, primary_key: &[&str]) -> RelationEntry {
    RelationEntry {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind: RelationKind::Table,
        owner: "admin".into(),
        comment: None,
        columns,
        primary_key: primary_key.iter().map(|key| (*key).to_owned()).collect(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        definition: None,
        options: Vec::new(),
        row_security: false,
        row_security_forced: false,
        acl: vec!["admin=arwd/admin".into(), "analyst=r/admin".into()],
        column_acls: BTreeMap::new(),
        privileges: vec!["SELECT".into()],
        rows: Some(1000),
        bytes: Some(16_384),
    }
}

const MONEY: SqlType = SqlType::Numeric { precision: 12, scale: 2 };

fn orders() -> RelationEntry {
    let mut status = column("status", SqlType::Text, false);
    status.default = Some("'created'".into());
    let mut total = column("total_amount", MONEY, false);
    total.comment = Some("Sum of qty * unit_price over the items".into());
    let columns = vec![
        column("order_id", SqlType::BigInt, false),
        column("customer_id", SqlType::BigInt, false),
        column("ordered_at", SqlType::TimestampTz, false),
        column("order_date", SqlType::Date, false),
        status,
        column("channel", SqlType::Varchar(Some(20)), false),
        total,
        column("meta", SqlType::Jsonb, true),
    ];
    let mut orders = table(16_396, "orders", columns, &["order_id"]);
    orders.comment = Some("One row per order".into());
    orders.checks = vec![Check { name: "orders_total_check".into(), condition: "total_amount >= 0".into() }];
    orders.foreign_keys = vec![ForeignKey {
        name: "orders_customer_id_fkey".into(),
        columns: vec!["customer_id".into()],
        table: "customers".into(),
        table_columns: Vec::new(),
    }];
    orders.row_security = true;
    orders
}

fn customers() -> RelationEntry {
    let columns = vec![
        column("customer_id", SqlType::BigInt, false),
        column("name", SqlType::Text, false),
        column("tags", SqlType::Array(Box::new(SqlType::Text)), true),
    ];
    table(16_389, "customers", columns, &["customer_id"])
}

fn channel_costs() -> RelationEntry {
    let columns = vec![
        column("cost_date", SqlType::Date, false),
        column("channel", SqlType::Text, false),
        column("cost", MONEY, true),
    ];
    table(16_432, "channel_costs", columns, &["cost_date", "channel"])
}

fn order_items() -> RelationEntry {
    let columns = vec![column("order_item_id", SqlType::BigInt, false), column("order_id", SqlType::BigInt, false)];
    table(16_408, "order_items", columns, &["order_item_id"])
}

fn interactions() -> RelationEntry {
    let columns = vec![column("interaction_id", SqlType::BigInt, false), column("kind", SqlType::Text, false)];
    table(16_420, "interactions", columns, &["interaction_id"])
}

fn daily_revenue() -> RelationEntry {
    let columns = vec![column("order_date", SqlType::Date, true), column("revenue", MONEY, true)];
    let mut view = table(16_440, "daily_revenue", columns, &[]);
    view.kind = RelationKind::View;
    view.definition = Some("SELECT order_date, sum(total_amount) AS revenue FROM orders GROUP BY order_date".into());
    view
}

fn role(oid: u32, name: &str, superuser: bool) -> RoleEntry {
    RoleEntry {
        oid,
        name: name.into(),
        superuser,
        inherit: true,
        create_role: superuser,
        create_db: superuser,
        login: true,
        replication: false,
        bypass_rls: superuser,
        connection_limit: -1,
        valid_until_us: None,
        comment: None,
        settings: Vec::new(),
    }
}

fn policy(oid: u32, name: &str, command: &str, roles: &[&str]) -> PolicyEntry {
    PolicyEntry {
        oid,
        name: name.into(),
        schema: "public".into(),
        table: "orders".into(),
        permissive: true,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        command: command.into(),
        using: Some("team = current_setting('henna.team')".into()),
        check: None,
    }
}

/// A shop: six relations, two roles of which one is a member of the other, two policies, a function.
pub fn shop() -> VisibleCatalog {
    VisibleCatalog {
        database: "henna".into(),
        database_acl: Vec::new(),
        session_user: "analyst".into(),
        current_user: "analyst".into(),
        schemas: vec![SchemaEntry {
            oid: 2200,
            name: "public".into(),
            owner: "admin".into(),
            comment: Some("standard public schema".into()),
            acl: vec!["admin=UC/admin".into(), "=U/admin".into()],
        }],
        relations: vec![customers(), orders(), order_items(), interactions(), channel_costs(), daily_revenue()],
        roles: vec![role(16_385, "admin", true), role(16_386, "analyst", false), role(16_387, "readers", false)],
        memberships: vec![MembershipEntry {
            role: "readers".into(),
            member: "analyst".into(),
            grantor: "admin".into(),
            admin_option: false,
            inherit_option: true,
            set_option: true,
        }],
        policies: vec![
            policy(16_500, "own_team", "SELECT", &["analyst", "readers"]),
            policy(16_501, "all_see", "ALL", &[]),
        ],
        functions: vec![FunctionEntry {
            oid: 16_600,
            schema: "public".into(),
            name: "rfm_score".into(),
            kind: FunctionKind::Scalar,
            arguments: "value numeric, n integer".into(),
            result: "integer".into(),
            description: "Score of one value".into(),
        }],
        settings: vec![SettingEntry {
            name: "timezone".into(),
            value: "Asia/Shanghai".into(),
            description: "Time zone of the session".into(),
            context: "user".into(),
        }],
        activity: Vec::new(),
        prepared: Vec::new(),
        security: Arc::default(),
    }
}

#[derive(Debug)]
struct ShopSession {
    visible: Arc<VisibleCatalog>,
    changed: Mutex<Vec<(String, String)>>,
}

impl CatalogSession for ShopSession {
    fn visible(&self) -> Arc<VisibleCatalog> {
        Arc::clone(&self.visible)
    }

    fn setting(&self, name: &str) -> Option<String> {
        let changed = self.changed.lock().unwrap();
        let found = changed.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.or_else(|| match name {
            "server_version" => Some("16.6".into()),
            "server_version_num" => Some("160006".into()),
            "search_path" => Some("\"$user\", public".into()),
            "timezone" => Some("Asia/Shanghai".into()),
            "max_index_keys" => Some("32".into()),
            "is_superuser" | "bytea_output" | "transaction_isolation" | "standard_conforming_strings" => {
                Some("off".into())
            }
            _ => None,
        })
    }

    fn change_setting(&self, name: &str, value: &str, _: SettingScope) -> Result<String, String> {
        self.changed.lock().unwrap().push((name.into(), value.into()));
        Ok(value.into())
    }

    fn search_path(&self) -> Vec<String> {
        vec!["public".into()]
    }

    fn backend_pid(&self) -> i32 {
        42
    }

    fn server_start_us(&self) -> i64 {
        0
    }

    fn server_address(&self) -> Option<(String, u16)> {
        None
    }

    fn client_address(&self) -> Option<(String, u16)> {
        None
    }

    fn terminate(&self, _: i32) -> bool {
        false
    }

    fn cancel(&self, _: i32) -> bool {
        false
    }
}

pub struct Shop {
    context: SessionContext,
}

pub struct Table {
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Shop {
    pub fn open() -> Self {
        let visible = Arc::new(shop());
        let session = ShopSession { visible: Arc::clone(&visible), changed: Mutex::default() };
        let handle: CatalogHandle = Arc::new(session);
        let config = SessionConfig::new().with_default_catalog_and_schema("henna", "public").with_target_partitions(2);
        let state =
            SessionStateBuilder::new_with_default_features().with_config(config).with_analyzer_rule(analyzer_rule());
        let context = SessionContext::new_with_state(state.build());
        let catalog = MemoryCatalogProvider::new();
        let public = MemorySchemaProvider::new();
        for relation in &visible.relations {
            let fields: Vec<_> = relation
                .columns
                .iter()
                .map(|column| column.sql_type.field(&column.name, "UTC", column.nullable))
                .collect();
            let schema = Arc::new(arrow::datatypes::Schema::new(fields));
            let table = MemTable::try_new(schema, vec![Vec::new()]).unwrap();
            public.register_table(relation.name.clone(), Arc::new(table)).unwrap();
        }
        let schemas: [(&str, Arc<dyn SchemaProvider>); 3] = [
            ("public", Arc::new(public)),
            ("pg_catalog", Arc::new(SystemSchema::pg_catalog(Arc::clone(&handle)))),
            ("information_schema", Arc::new(SystemSchema::information_schema(Arc::clone(&handle)))),
        ];
        for (name, schema) in schemas {
            catalog.register_schema(name, schema).unwrap();
        }
        context.register_catalog("henna", Arc::new(catalog));
        for function in functions(&handle) {
            context.register_udf(function);
        }
        Self { context }
    }

    pub async fn query(&self, sql: &str) -> Result<Table, String> {
        self.query_with(sql, &[]).await
    }

    /// With the values of its parameters as texts; those that are not given are NULL.
    pub async fn query_with(&self, sql: &str, values: &[Option<String>]) -> Result<Table, String> {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| error.to_string())?.remove(0);
        rewrite(&mut statement);
        let rewritten = statement.to_string();
        let run = async {
            let plan = self.context.state().statement_to_plan(DfStatement::Statement(Box::new(statement))).await?;
            let plan = bind(infer_parameters(plan)?, values)?;
            let frame = self.context.execute_logical_plan(plan).await?;
            let schema = Arc::clone(frame.schema().inner());
            Ok::<_, datafusion::error::DataFusionError>((schema, frame.collect().await?))
        };
        let (schema, batches) = run.await.map_err(|error| format!("{error}\n  rewritten: {rewritten}"))?;
        let names = schema.fields().iter().map(|field| shown_name(field.name()).to_owned()).collect();
        let options = FormatOptions::default();
        let mut rows = Vec::new();
        for batch in batches {
            let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
            let columns: Vec<_> = columns.collect();
            for row in 0..batch.num_rows() {
                let cell = |(formatter, column): (&ArrayFormatter<'_>, &arrow::array::ArrayRef)| {
                    if column.is_null(row) { "NULL".to_owned() } else { formatter.value(row).to_string() }
                };
                rows.push(columns.iter().zip(batch.columns()).map(cell).collect());
            }
        }
        Ok(Table { names, rows })
    }

    /// The types of the columns that the statement gives.
    pub async fn types(&self, sql: &str) -> Vec<String> {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let plan = self.context.state().statement_to_plan(DfStatement::Statement(Box::new(statement))).await.unwrap();
        plan.schema().fields().iter().map(|field| field.data_type().to_string()).collect()
    }

    /// The types that the statement wants of its parameters.
    pub async fn parameters(&self, sql: &str) -> Vec<String> {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        let plan = self.context.state().statement_to_plan(DfStatement::Statement(Box::new(statement))).await.unwrap();
        let types = infer_parameters(plan).unwrap().get_parameter_types().unwrap();
        let mut types: Vec<String> =
            types.into_iter().map(|(name, kind)| format!("{name} {}", kind.unwrap())).collect();
        types.sort();
        types
    }

    /// The rows as lines of cells with bars between.
    pub async fn lines(&self, sql: &str) -> Vec<String> {
        let table = self.query(sql).await.unwrap_or_else(|error| panic!("{error}\n  sql: {sql}"));
        table.rows.iter().map(|row| row.join("|")).collect()
    }
}

/// Puts the values in place of the parameters, each in the type that the plan wants of it.
fn bind(plan: LogicalPlan, values: &[Option<String>]) -> Result<LogicalPlan, DataFusionError> {
    let types = plan.get_parameter_types()?;
    if types.is_empty() {
        return Ok(plan);
    }
    let count = types.keys().filter_map(|name| name.trim_start_matches('$').parse().ok()).max().unwrap_or(0);
    let given = (1..=count).map(|number: usize| {
        let wanted = types.get(&format!("${number}")).cloned().flatten().unwrap_or(DataType::Utf8);
        let text = values.get(number - 1).cloned().flatten();
        if let (DataType::List(_), Some(text)) = (&wanted, &text) {
            let items: Vec<_> = text.trim_matches(['{', '}']).split(',').map(ScalarValue::from).collect();
            return ScalarValue::List(ScalarValue::new_list(&items, &DataType::Utf8, true)).cast_to(&wanted);
        }
        ScalarValue::Utf8(text).cast_to(&wanted)
    });
    plan.with_param_values(given.collect::<Result<Vec<_>, _>>()?)
}
