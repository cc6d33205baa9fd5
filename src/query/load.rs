//! LOAD: the rows of a request go into a table through a session, by the walk of every load and under the rights of INSERT.

use std::sync::Arc;
use std::time::Instant;

use arrow::compute::cast;
use arrow::datatypes::{Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use futures::FutureExt;

use super::engine::Lake;
use super::failure::failure;
use super::insert::into_view;
use super::insert::target::Target;
use super::session::Session;
use super::viewpoint::Viewpoint;
use crate::access::statement::RelationName;
use crate::access::{Admission, RawTables, SecuredTable, TableId, Visible};
use crate::catalog::inventory::{Body, HOUSE, Origin, PUBLIC, Relation};
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::ingest::identity::IDENTITIES;
use crate::ingest::stream::{BodyKind, Bound, Busy, Room, StreamRequest};
use crate::ingest::{LoadReport, OnReject};
use crate::lake::{Judge, Owner};

/// Rows that a request brings.
pub struct RowsLoad {
    pub body: Bytes,
    pub kind: BodyKind,
    /// By which the same user's repeat is known.
    pub key: Option<String>,
    pub on_reject: OnReject,
    /// 0 to 1.
    pub reject_share_max: f64,
    pub room: Room,
}

/// What a load did, as far as the user may know.
pub struct Loaded {
    pub report: LoadReport,
    /// Whether its numbers of persons may be told: they say whether the lake knows an identifier.
    pub tells_persons: bool,
    /// Whether the table's version and the files that were written may be told: others' rows are in them.
    pub tells_table: bool,
}

/// A table that rows may go into.
pub struct LoadTarget {
    relation: Arc<Relation>,
    contract: Arc<Contract>,
    table: SecuredTable,
}

impl Lake {
    /// Room for rows that are still to be read; without it they are not to be read.
    pub fn room_for(&self, bytes: usize) -> Result<Room, Busy> {
        self.streams().room(bytes)
    }

    /// Of rows that wait to be written or are being written.
    pub fn waiting_bytes(&self) -> usize {
        self.streams().waiting_bytes()
    }
}

impl Session {
    /// What the name of a table means to the session; an error where it may not load rows into it.
    pub fn load_target(&self, table: &str) -> Result<LoadTarget> {
        let begun = Instant::now();
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name),
            None => (None, table),
        };
        let relation = self.writable(&RelationName { schema, name: name.to_owned() })?;
        let id = relation.id();
        let target = self.allowed(relation);
        if let Err(error) = &target {
            self.tell_load(&id, begun, Err(error.reason()));
        }
        target
    }

    fn allowed(&self, relation: Arc<Relation>) -> Result<LoadTarget> {
        self.refuse_read_only("LOAD")?;
        let contract = match &relation.body {
            Body::Table(contract) if relation.schema != HOUSE => Arc::new(contract.clone()),
            Body::Table(_) | Body::Virtual(_) => {
                let text = format!("\"{}\" is a table of the house, which fills it itself", relation.name);
                return Err(Error::new(Reason::WrongKind, text));
            }
            Body::View { .. } => return Err(into_view("load rows into", &relation.name)),
        };
        let shown = Arc::new(Target::new(contract.schema(&self.time_zone()), self.defaults_of(&contract)?));
        let raw = RawTables::zoned(shown as Arc<dyn TableProvider>, &self.lake().dataset().time_zone);
        let own = Viewpoint::of(self.principal().clone());
        let table = self.names().secured(&own, relation.id(), raw);
        let columns: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
        table.require_insert(&columns)?;
        Ok(LoadTarget { relation, contract, table })
    }

    /// Loads the rows; returns when they are durable. The policies of the table are asked of new rows and of the stored ones that
    /// have their keys.
    pub async fn load(self: Arc<Self>, target: LoadTarget, load: RowsLoad) -> Result<Loaded> {
        let (begun, id) = (Instant::now(), target.relation.id());
        let outcome = Arc::clone(&self).load_rows(target, load).await;
        let told = outcome.as_ref().map(|report| report.rows_read).map_err(Error::reason);
        self.tell_load(&id, begun, told);
        let (security, principal) = (self.security().snapshot(), self.principal().get());
        let seen = Visible::new(&security, &principal);
        let tells_persons = seen.may_select(&TableId::new(PUBLIC, IDENTITIES));
        // As henna.tables does.
        let tells_table = seen.may_select(&id) && self.lake().sees_every_row(&security, &principal, &id);
        outcome.map(|report| Loaded { report, tells_persons, tells_table })
    }

    async fn load_rows(self: Arc<Self>, target: LoadTarget, load: RowsLoad) -> Result<LoadReport> {
        let LoadTarget { relation, contract, table } = target;
        self.names().begin_statement();
        let shown = contract.schema(&self.time_zone());
        let state = self.context().state();
        let admission = table.admission(&state).map_err(failure)?;
        let (sight, replacement) = table.stored_rows(&state).map_err(failure)?;
        let bound = match (admission, sight, replacement) {
            (None, None, None) => None,
            (admission, sight, replacement) => {
                let asked = |policy| asked(&self, policy, &shown);
                let stored = Owner { sees: asked(sight), replaces: asked(replacement) };
                Some(Bound { admits: asked(admission), stored })
            }
        };
        let security = self.security().snapshot();
        let request = StreamRequest {
            table: relation.folder.clone(),
            // The persons of the house are taught by the tables of its dataset alone.
            identified: relation.origin == Origin::Founded && self.lake().streams().identifies(&contract),
            user: self.principal().get().session_user_name(&security),
            contract,
            key: load.key,
            bound,
            body: load.body,
            kind: load.kind,
            is_fed: relation.origin == Origin::Founded && relation.schema == PUBLIC,
            on_reject: load.on_reject,
            reject_share_max: load.reject_share_max,
            room: load.room,
        };
        self.lake().streams().load(request).await
    }
}

/// Asks a policy of batches in stored types. The session lives as long as it may be asked.
fn asked(session: &Arc<Session>, policy: Option<Admission>, shown: &SchemaRef) -> Judge {
    let Some(policy) = policy.map(Arc::new) else { return Arc::new(|_| async { Ok(()) }.boxed()) };
    let (session, shown) = (Arc::clone(session), Arc::clone(shown));
    Arc::new(move |batch: RecordBatch| {
        let (session, policy, shown) = (Arc::clone(&session), Arc::clone(&policy), Arc::clone(&shown));
        async move {
            let _session = session;
            // By name: the table may have got other columns since the session looked at it.
            let column =
                |field: &Arc<Field>| cast(batch.column(batch.schema().index_of(field.name())?), field.data_type());
            let columns = shown.fields().iter().map(column).collect::<Result<_, _>>();
            let internal = |error| Error::of(Reason::Internal, error);
            let batch = RecordBatch::try_new(shown, columns.map_err(internal)?).map_err(internal)?;
            policy.judge(&batch).await.map_err(failure)
        }
        .boxed()
    })
}
