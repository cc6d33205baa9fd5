//! The schema `henna`: the house as its users may see it, as tables made when they are read.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};

use super::audit_table;
use super::engine::role_shown;
use super::failure::failure;
use super::guard::Canceller;
use super::names::{Names, lock};
use super::query_log;
use crate::access::{Principal, Revision, TableId, Visible};
use crate::catalog::inventory::{Body, HOUSE, PUBLIC};
use crate::catalog::model::{ActivityEntry, SettingEntry, VisibleCatalog};
use crate::catalog::{CatalogSession, SettingScope, visible};
use crate::dataset::{Column, Contract, SqlType};
use crate::error::{Error, Reason, Result};

/// What the catalog said a moment ago, and for whom.
#[derive(Debug, Clone)]
pub struct CachedVisible {
    principal: Principal,
    revision: Revision,
    catalog: Arc<VisibleCatalog>,
}

/// Name, type and comment.
type ColumnText = (&'static str, SqlType, &'static str);

/// Name, comment and columns.
type TableText = (&'static str, &'static str, &'static [ColumnText]);

/// The tables of this schema that are made when they are read.
const TABLES: &[TableText] = &[
    (
        "tables",
        "One row a table of the lake that you may read whole: its newest version.",
        &[
            ("schema_name", SqlType::Text, "Schema of the table."),
            ("table_name", SqlType::Text, "Name of the table."),
            ("rows", SqlType::BigInt, "Rows in its newest version; null where row policies hide some from you."),
            ("files", SqlType::BigInt, "Parquet files of that version; null as above."),
            ("bytes", SqlType::BigInt, "Bytes of those files; null as above."),
            ("version", SqlType::BigInt, "Delta version; null as above."),
            ("retention", SqlType::Text, "How long its rows are kept; null is for ever."),
        ],
    ),
    (
        "functions",
        "One row a function of retail analytics.",
        &[
            ("name", SqlType::Text, "Name in SQL."),
            ("kind", SqlType::Text, "scalar, aggregate or window."),
            ("arguments", SqlType::Text, "Names and meaning of its arguments."),
            ("description", SqlType::Text, "What it gives."),
            ("example", SqlType::Text, "A call of it."),
        ],
    ),
    (
        "sources",
        "One row a table that a source of the dataset can fill.",
        &[
            ("source", SqlType::Text, "Name for load --source."),
            ("table_name", SqlType::Text, "Table that it fills."),
            ("time_zone", SqlType::Text, "Zone of its times that name none."),
        ],
    ),
    (
        "settings",
        "One row a setting of your session.",
        &[
            ("name", SqlType::Text, "Name for SET and SHOW."),
            ("setting", SqlType::Text, "Its value."),
            ("description", SqlType::Text, "What it does."),
        ],
    ),
    (
        "activity",
        "One row a session; of other roles' sessions the statement is hidden.",
        &[
            ("pid", SqlType::Integer, "Number of the session."),
            ("usename", SqlType::Text, "Its user."),
            ("application_name", SqlType::Text, "Its program."),
            ("client_addr", SqlType::Text, "Where it comes from; null in process."),
            ("backend_start", SqlType::TimestampTz, "When it began."),
            ("query_start", SqlType::TimestampTz, "When its statement began."),
            ("state", SqlType::Text, "active or idle."),
            ("query", SqlType::Text, "Its statement, literals removed; null where it is hidden from you."),
        ],
    ),
];

/// The contracts of these tables.
pub fn contracts() -> Result<Vec<Contract>> {
    let mut contracts: Vec<_> =
        TABLES.iter().map(|(name, comment, columns)| contract(name, comment, columns)).collect();
    contracts.push(audit_table::contract()?);
    contracts.push(query_log::contract()?);
    Ok(contracts)
}

fn contract(name: &str, comment: &str, columns: &[ColumnText]) -> Contract {
    let column = |(name, sql_type, comment): &ColumnText| Column {
        name: (*name).to_owned(),
        sql_type: sql_type.clone(),
        nullable: true,
        default: None,
        comment: Some((*comment).to_owned()),
    };
    Contract {
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        comment: Some(comment.to_owned()),
        ..Contract::empty()
    }
}

/// One of these tables, filled for the session that reads it, with times in `zone`.
pub(super) async fn table(names: &Arc<Names>, contract: &Contract, zone: &str) -> Result<Arc<dyn TableProvider>> {
    let schema = contract.schema(zone);
    if contract.name == audit_table::NAME {
        return audit_table::table(names, schema, zone);
    }
    if contract.name == query_log::NAME {
        return query_log::table(names, schema, zone);
    }
    let columns = match contract.name.as_str() {
        "tables" => tables(names).await?,
        "functions" => functions(),
        "sources" => sources(names),
        "settings" => settings(names),
        "activity" => activity(names, zone),
        other => return Err(Error::new(Reason::Internal, format!("no one fills henna.{other}"))),
    };
    let batch = fitted(&schema, &columns).map_err(|error| Error::of(Reason::Internal, error))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]]).map_err(failure)?))
}

/// The columns in the types of `schema`.
pub(super) fn fitted(schema: &SchemaRef, columns: &[ArrayRef]) -> Result<RecordBatch, ArrowError> {
    let fitted = columns.iter().zip(schema.fields());
    let fitted = fitted.map(|(column, field)| arrow::compute::cast(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), fitted.collect::<Result<_, _>>()?)
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

async fn tables(names: &Arc<Names>) -> Result<Vec<ArrayRef>> {
    let security = names.security().snapshot();
    let principal = names.principal().get();
    let seen = Visible::new(&security, &principal);
    let (mut keys, mut facts, mut retentions) = (Vec::new(), Vec::new(), Vec::new());
    for relation in names.inventory_at(&security).relations() {
        let id = TableId::new(&relation.schema, &relation.name);
        let Body::Table(contract) = &relation.body else { continue };
        if !seen.may_select(&id) {
            continue;
        }
        retentions.push(contract.retention.as_ref().map(ToString::to_string));
        let whole = !security.row_security_active(principal.checked_role(), &id)
            || names.lake().sees_every_row(&security, &principal, &id);
        let snapshot = names.snapshot(&relation.folder).await?;
        keys.push(id);
        facts.push(whole.then(|| (snapshot.rows(), snapshot.files.len() as u64, snapshot.bytes(), snapshot.version)));
    }
    let number = |pick: fn(&(u64, u64, u64, u64)) -> u64| -> ArrayRef {
        let values = facts.iter().map(|fact| fact.as_ref().and_then(|fact| i64::try_from(pick(fact)).ok()));
        Arc::new(values.collect::<Int64Array>())
    };
    Ok(vec![
        texts(keys.iter().map(|id| Some(id.schema.clone()))),
        texts(keys.iter().map(|id| Some(id.table.clone()))),
        number(|fact| fact.0),
        number(|fact| fact.1),
        number(|fact| fact.2),
        number(|fact| fact.3),
        texts(retentions),
    ])
}

fn functions() -> Vec<ArrayRef> {
    let rows = crate::query::functions::documented();
    vec![
        texts(rows.iter().map(|row| Some(row.name.clone()))),
        texts(rows.iter().map(|row| Some(row.kind.to_owned()))),
        texts(rows.iter().map(|row| Some(row.arguments.clone()))),
        texts(rows.iter().map(|row| Some(row.description.clone()))),
        texts(rows.iter().map(|row| row.example.clone())),
    ]
}

fn sources(names: &Arc<Names>) -> Vec<ArrayRef> {
    let dataset = names.lake().dataset();
    let rows: Vec<_> =
        dataset.sources.iter().flat_map(|source| source.tables.keys().map(move |table| (source, table))).collect();
    vec![
        texts(rows.iter().map(|(source, _)| Some(source.name.clone()))),
        texts(rows.iter().map(|(_, table)| Some((*table).clone()))),
        texts(rows.iter().map(|(source, _)| source.time_zone.clone())),
    ]
}

fn settings(names: &Arc<Names>) -> Vec<ArrayRef> {
    let rows = names.setting_entries();
    vec![
        texts(rows.iter().map(|row| Some(row.name.clone()))),
        texts(rows.iter().map(|row| Some(row.value.clone()))),
        texts(rows.iter().map(|row| Some(row.description.clone()))),
    ]
}

fn activity(names: &Arc<Names>, zone: &str) -> Vec<ArrayRef> {
    let rows = names.activity_entries();
    let instants = |pick: fn(&ActivityEntry) -> Option<i64>| -> ArrayRef {
        let values: TimestampMicrosecondArray = rows.iter().map(pick).collect();
        Arc::new(values.with_timezone(zone.to_owned()))
    };
    vec![
        Arc::new(rows.iter().map(|row| Some(row.pid)).collect::<Int32Array>()),
        texts(rows.iter().map(|row| Some(row.user.clone()))),
        texts(rows.iter().map(|row| Some(row.application.clone()))),
        texts(rows.iter().map(|row| row.client.clone())),
        instants(|row| Some(row.backend_start_us)),
        instants(|row| row.query_start_us),
        texts(rows.iter().map(|row| Some(row.state.clone()))),
        texts(rows.iter().map(|row| row.query.clone())),
    ]
}

impl Names {
    fn setting_entries(&self) -> Vec<SettingEntry> {
        let state = self.state();
        let state = lock(&state);
        let entry = |(name, value, description): (&str, &str, &str)| SettingEntry {
            name: name.to_owned(),
            value: value.to_owned(),
            description: description.to_owned(),
            context: "user".to_owned(),
        };
        state.settings.rows().map(entry).collect()
    }

    fn canceller_of(&self, pid: i32) -> Option<Canceller> {
        let own = self.principal().get().checked_role();
        self.lake().canceller_of(pid, own, &self.security().snapshot())
    }

    /// Every session; the statement only of those whose role's rights the principal has.
    fn activity_entries(&self) -> Vec<ActivityEntry> {
        let security = self.security().snapshot();
        let own = self.principal().get().checked_role();
        let mut rows = self.lake().activity().rows();
        for row in &mut rows {
            let theirs = security.role_named(&row.user).map(|role| role.id);
            if !theirs.is_some_and(|theirs| security.has_privileges_of(own, theirs)) {
                row.query = None;
                row.query_start_us = None;
                row.application.clear();
                row.client = None;
            }
        }
        rows
    }
}

impl CatalogSession for Names {
    fn visible(&self) -> Arc<VisibleCatalog> {
        let security = self.security().snapshot();
        let principal = self.principal().get();
        if let Some(cached) = lock(&self.about.visible).as_ref()
            && cached.revision == security.revision()
            && cached.principal == principal
        {
            return Arc::clone(&cached.catalog);
        }
        let functions = crate::query::functions::entries();
        let mut found = visible::visible(&self.inventory_at(&security), functions, &security, &principal);
        found.settings = self.setting_entries();
        found.activity = self.activity_entries();
        found.prepared = self.about.statements.entries();
        let catalog = Arc::new(found);
        *lock(&self.about.visible) =
            Some(CachedVisible { principal, revision: security.revision(), catalog: Arc::clone(&catalog) });
        catalog
    }

    fn setting(&self, name: &str) -> Option<String> {
        if name == "role" {
            return Some(role_shown(&self.principal().get(), &self.security().snapshot()));
        }
        let state = self.state();
        lock(&state).settings.show(name).ok().map(str::to_owned)
    }

    fn change_setting(&self, name: &str, value: &str, scope: SettingScope) -> Result<String, String> {
        // What needs more than a new value (a role, a zone) is left to SET.
        if ["role", "session_authorization", "timezone", "row_security", "henna.as_of"]
            .contains(&name.to_ascii_lowercase().as_str())
        {
            return Err(format!("set_config cannot change {name}: use SET"));
        }
        let state = self.state();
        let mut state = lock(&state);
        let changed = match scope {
            SettingScope::Session => state.settings.set(name, value),
            SettingScope::Transaction => state.settings.set_local(name, value),
        };
        changed.map_err(|error| error.to_string())?;
        state.settings.show(name).map(str::to_owned).map_err(|error| error.to_string())
    }

    fn search_path(&self) -> Vec<String> {
        let inventory = self.inventory();
        let exists = |name: &String| name == PUBLIC || name == HOUSE || inventory.has_schema(name);
        self.search_path_schemas().into_iter().filter(exists).collect()
    }

    fn backend_pid(&self) -> i32 {
        self.about.present.pid()
    }

    fn server_start_us(&self) -> i64 {
        self.lake().started_us()
    }

    fn server_address(&self) -> Option<(String, u16)> {
        None
    }

    fn client_address(&self) -> Option<(String, u16)> {
        self.about.client_address.clone()
    }

    fn cancel(&self, pid: i32) -> bool {
        self.canceller_of(pid).inspect(Canceller::cancel).is_some()
    }

    fn terminate(&self, pid: i32) -> bool {
        // In a condition the engine asks it for rows, too, that another condition leaves out: one's own must not end by that.
        if pid == self.backend_pid() {
            return false;
        }
        self.canceller_of(pid).inspect(Canceller::terminate).is_some()
    }
}
