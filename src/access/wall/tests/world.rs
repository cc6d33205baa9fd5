//! A small lake in memory: tables, roles, and sessions that name secured tables only.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::util::pretty::pretty_format_batches;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::Result as EngineResult;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::access::{
    MemoryLog, ObjectChange, Objects, PrincipalHandle, RawTables, Relation, RelationKind, SecuredTable, SecurityStore,
    TableId, TableResolver, WallEnvironment, parse,
};
use crate::error::Result;

type Row = (i64, i64, Option<&'static str>, &'static str);

/// Of `t`: id, x, team, s. Team b and no team are what `anna` must not see; their x makes `1 / (x - 5)` fail, their s no number.
pub const ROWS: [Row; 6] = [
    (1, 1, Some("a"), "10"),
    (2, 2, Some("a"), "20"),
    (3, 5, Some("b"), "SECRET-WORD-OF-TEAM-B"),
    (4, 7, Some("a"), "30"),
    (5, 5, None, "SECRET-WORD-OF-NOBODY"),
    (6, 5, Some("b"), "999999999999999999999"),
];

#[derive(Debug, Clone)]
pub struct World {
    pub store: Arc<SecurityStore>,
    raws: Arc<BTreeMap<String, Arc<MemTable>>>,
    environment: Arc<WallEnvironment>,
}

#[derive(Debug, Clone)]
struct Tables {
    world: World,
    principal: PrincipalHandle,
}

/// One session: its context and its principal.
pub struct Session {
    pub context: SessionContext,
    pub principal: PrincipalHandle,
}

impl World {
    /// Tables `t`, `u (team)` with one row `a`, and `w` like `t`; the statements are run by the superuser.
    pub async fn new(statements: &[&str]) -> Self {
        let store = SecurityStore::open(Arc::new(MemoryLog::default())).await.unwrap();
        store.bootstrap("admin", "secret").await.unwrap();
        let raws = BTreeMap::from([
            ("t".to_string(), rows(&ROWS)),
            ("w".to_string(), rows(&ROWS)),
            ("u".to_string(), teams(&["a"])),
        ]);
        let created: Vec<_> = raws.keys().map(|t| ObjectChange::RelationCreated(TableId::new("public", t))).collect();
        store.track(&store.bootstrap_principal(), &created).await.unwrap();
        let environment = Arc::new(WallEnvironment::new(&SessionContext::new().state(), "UTC"));
        let world = Self { store: Arc::new(store), raws: Arc::new(raws), environment };
        for sql in statements {
            world.admin(sql).await;
        }
        world
    }

    pub async fn admin(&self, sql: &str) {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap();
        let statement = parse(&mut parser).unwrap_or_else(|| panic!("{sql}")).unwrap();
        let applied = self.store.apply(&self.store.principal("admin").unwrap(), statement, self).await;
        applied.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub fn session(&self, role: &str) -> Session {
        self.session_with(role, SessionConfig::new().with_target_partitions(2))
    }

    pub fn session_with(&self, role: &str, config: SessionConfig) -> Session {
        let principal = PrincipalHandle::new(self.store.principal(role).unwrap());
        let tables = Arc::new(Tables { world: self.clone(), principal: principal.clone() });
        let context = SessionContext::new_with_config(config);
        for name in self.raws.keys() {
            context.register_table(name.as_str(), tables.secured(name).unwrap()).unwrap();
        }
        Session { context, principal }
    }
}

impl Session {
    /// The answer as a drawn table, or the error's text.
    pub async fn ask(&self, sql: &str) -> std::result::Result<String, String> {
        ask(&self.context, sql).await
    }

    pub async fn lines(&self, sql: &str) -> Vec<String> {
        let drawn = self.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        drawn.lines().skip(3).filter(|line| line.starts_with('|')).map(|line| line.replace(['|', ' '], "")).collect()
    }
}

pub async fn ask(context: &SessionContext, sql: &str) -> std::result::Result<String, String> {
    let answer = async { context.sql(sql).await?.collect().await };
    let batches = answer.await.map_err(|error| error.find_root().to_string())?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

/// A context in which `t` and `w` hold nothing but the rows that `keep` accepts.
pub fn copy(config: SessionConfig, keep: impl Fn(&Row) -> bool) -> SessionContext {
    let kept: Vec<Row> = ROWS.iter().filter(|row| keep(row)).copied().collect();
    let context = SessionContext::new_with_config(config);
    context.register_table("t", rows(&kept)).unwrap();
    context.register_table("w", rows(&kept)).unwrap();
    context.register_table("u", teams(&["a"])).unwrap();
    context
}

/// In two partitions, so that one may hold hidden rows alone.
fn rows(rows: &[Row]) -> Arc<MemTable> {
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("x", DataType::Int64, true),
        Field::new("team", DataType::Utf8View, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("k", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let batch = |rows: &[Row]| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(rows.iter().map(|row| row.2).collect::<StringViewArray>()),
            Arc::new(rows.iter().map(|row| Some(row.3)).collect::<StringViewArray>()),
            Arc::new(rows.iter().map(|row| Some(row.3)).collect::<DictionaryArray<Int32Type>>()),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![batch(first)], vec![batch(second)]]).unwrap())
}

fn teams(names: &[&str]) -> Arc<MemTable> {
    let schema = Arc::new(Schema::new(vec![Field::new("team", DataType::Utf8, true)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(StringArray::from(names.to_vec()))]).unwrap();
    Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap())
}

impl Tables {
    fn secured(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let raw: Arc<dyn TableProvider> = self.world.raws.get(name)?.clone();
        let world = &self.world;
        let (store, environment) = (Arc::clone(&world.store), Arc::clone(&world.environment));
        let resolver = Arc::new(self.clone());
        let id = TableId::new("public", name);
        let raw = RawTables { shown: Arc::clone(&raw), beneath: raw };
        Some(Arc::new(SecuredTable::new(raw, id, store, self.principal.clone(), resolver, environment)))
    }
}

#[async_trait]
impl TableResolver for Tables {
    async fn table(&self, id: &TableId) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        Ok(if id.schema == "public" { self.secured(&id.table) } else { None })
    }
}

#[async_trait]
impl Objects for World {
    async fn relation(&self, schema: Option<&str>, name: &str) -> Result<Option<Relation>> {
        if schema.is_some_and(|schema| schema != "public") {
            return Ok(None);
        }
        let columns = |raw: &Arc<MemTable>| raw.schema().fields().iter().map(|field| field.name().clone()).collect();
        let found = self.raws.get(name).map(columns);
        Ok(found.map(|columns| Relation { id: TableId::new("public", name), kind: RelationKind::Table, columns }))
    }

    async fn relations_in(&self, _: &str) -> Result<Option<Vec<Relation>>> {
        Ok(Some(Vec::new()))
    }

    async fn validate_policy(&self, _: &TableId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn validate_mask(&self, _: &TableId, _: &str, _: &str) -> Result<()> {
        Ok(())
    }
}
