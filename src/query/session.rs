//! A session: one principal, its settings, its own catalog, its transaction state.
//!
//! A statement walks these steps: [`Session::parse`] splits the text; [`Session::prepare`] plans it far enough to know its
//! parameters and columns; [`Session::run`] takes that plan, or makes it anew where grants, policies or tables have changed
//! since (`kept`), works out `as_of()` if it is asked for, and has it run on the query threads (`planning`). A text that was
//! met before is [`Session::known`].

use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast;

use super::answer::{Answer, Notice, TransactionStatus};
use super::as_of::{AsOf, AsOfCell};
use super::block::{Block, BlockMark};
use super::copy::CopyStatement;
use super::cursor::{CursorStatement, Cursors};
use super::engine::{Lake, role_shown};
use super::explain;
use super::failure::failure;
use super::guard::{Canceller, StatementGuard};
use super::judge::{judge, judge_mask};
use super::kept::Kept;
use super::names::{Names, lock};
use super::planning::{Described, Planner, parameters};
use super::prepared::PreparedStatement;
use super::settings::{self, Mark, Settings};
use super::statement::{self, Shown, Statement, StatementKind};
use super::utility::Utility;
use crate::access::{Principal, PrincipalHandle, SecurityHandle};
use crate::catalog;
use crate::dataset::SqlType;
use crate::error::{Error, Reason, Result};
use crate::ingest::literal;

/// A statement whose parameters and columns are known.
#[derive(Debug)]
pub struct Prepared {
    pub statement: Statement,
    /// The type of `$1`, `$2`, ...
    pub parameters: Vec<DataType>,
    /// The columns of its answer; `None` where it gives no rows.
    pub columns: Option<SchemaRef>,
    /// What its client said of the parameters.
    pub(super) types: Vec<Option<DataType>>,
    pub(super) shown: Shown,
}

#[cfg(test)]
impl Prepared {
    /// A statement that is planned when it runs, and not before. Its text leads nobody to it.
    pub(super) fn undescribed(statement: &Statement) -> Self {
        let (statement, shown) = (Statement { is_alone: false, ..statement.clone() }, Shown::of(statement));
        Self { statement, parameters: Vec::new(), columns: None, types: Vec::new(), shown }
    }
}

/// One principal's conversation with a lake.
pub struct Session {
    lake: Lake,
    context: SessionContext,
    names: Arc<Names>,
    pub(super) planner: Planner,
    pub(super) kept: Kept,
    pub(super) as_of: AsOfCell,
    canceller: Canceller,
    pub(super) cursors: Cursors,
    pub(super) state: Arc<Mutex<State>>,
    /// Apart from the state, which the names hold: what they hold must not hold them.
    pub(super) block: Mutex<Block>,
}

/// What changes while a session lives.
#[derive(Debug)]
pub(super) struct State {
    pub settings: Settings,
    /// Shared with the row of the session in `henna.activity`.
    transaction: Arc<Mutex<TransactionStatus>>,
    /// Whether the open transaction is one that nobody has begun by BEGIN.
    pub is_implicit: bool,
    pub notices: Vec<Notice>,
    /// The principal that ROLLBACK brings back.
    pub principal_before: Option<Principal>,
    /// The principal that the end of the transaction brings back after SET LOCAL ROLE.
    pub principal_local: Option<Principal>,
    /// Of the transaction, the oldest first.
    pub savepoints: Vec<Savepoint>,
}

/// What ROLLBACK TO brings back.
#[derive(Debug, Clone)]
pub(super) struct Savepoint {
    pub name: String,
    pub settings: Mark,
    pub principal: Principal,
    pub principal_local: Option<Principal>,
    pub block: BlockMark,
}

impl State {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            transaction: Arc::new(Mutex::new(TransactionStatus::Idle)),
            is_implicit: false,
            notices: Vec::new(),
            principal_before: None,
            principal_local: None,
            savepoints: Vec::new(),
        }
    }

    pub fn transaction(&self) -> TransactionStatus {
        *lock(&self.transaction)
    }

    pub fn set_transaction(&self, status: TransactionStatus) {
        *lock(&self.transaction) = status;
    }

    /// For who shows what the session is at.
    pub fn standing(&self) -> Arc<Mutex<TransactionStatus>> {
        Arc::clone(&self.transaction)
    }
}

impl Session {
    pub(super) async fn assemble(lake: Lake, names: Arc<Names>, context: SessionContext) -> Result<Self> {
        let state = names.state();
        let session = Self {
            lake,
            planner: Planner::new(context.clone()),
            kept: Kept::default(),
            context,
            as_of: AsOfCell::default(),
            canceller: names.about.canceller.clone(),
            cursors: Cursors::default(),
            names,
            state,
            block: Mutex::default(),
        };
        session.follow_settings().await?;
        Ok(session)
    }

    /// Splits a text into its statements. An empty text gives none.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let parsed = statement::parse(sql);
        if let Err(error) = &parsed {
            self.fail_transaction();
            self.tell_unparsed(error);
        }
        parsed
    }

    /// Plans a statement far enough to know its parameters and columns. `types` are the client's hints, `None` where it
    /// gave none; a parameter that nothing tells of is text.
    pub async fn prepare(&self, statement: &Statement, types: &[Option<DataType>]) -> Result<Arc<Prepared>> {
        let guard = self.begin_statement();
        if statement.is_alone
            && let Some(known) = self.known(&statement.source, types)
        {
            return Ok(known);
        }
        let prepared = guard.run(self.describe(statement, types)).await.and_then(|outcome| outcome);
        let prepared = prepared.map_err(|error| statement.located(error));
        if let Err(error) = &prepared {
            self.watch(statement, &Shown::of(statement), &guard).fail(error);
        }
        self.settle(prepared)
    }

    /// Runs a prepared statement with one value per parameter.
    pub async fn run(&self, prepared: &Arc<Prepared>, values: Vec<ScalarValue>) -> Result<Answer> {
        let guard = self.begin_statement();
        let application = self.lock().settings.show("application_name")?.to_owned();
        let watch = self.watch(&prepared.statement, &prepared.shown, &guard);
        self.names.about.present.begin(&prepared.shown.text, &application);
        let answer = self.answer(prepared, values, &guard).await;
        let answer = answer.map_err(|error| prepared.statement.located(error));
        self.settle(watch.follow(answer))
    }

    /// Runs one statement and streams its rows; a statement without rows gives an empty stream.
    pub async fn execute(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let statements = self.parse(sql)?;
        let [statement] = statements.as_slice() else {
            let text = format!("execute takes one statement, got {}", statements.len());
            return Err(Error::new(Reason::Syntax, text));
        };
        let prepared = self.prepare(statement, &[]).await?;
        match self.run(&prepared, Vec::new()).await? {
            Answer::Rows { stream, .. } => Ok(stream),
            Answer::CopyIn(_) => Err(Answer::no_copy_here()),
            Answer::Done { .. } | Answer::Empty => Ok(once(RecordBatch::new_empty(Arc::new(Schema::empty())))),
        }
    }

    pub fn transaction(&self) -> TransactionStatus {
        self.lock().transaction()
    }

    /// How long the session may be idle as it stands; `None` is no limit.
    pub fn idle_max(&self) -> Option<std::time::Duration> {
        let state = self.lock();
        state.settings.span(match state.transaction() {
            TransactionStatus::Idle => "idle_session_timeout",
            TransactionStatus::Active | TransactionStatus::Failed => "idle_in_transaction_session_timeout",
        })
    }

    /// An error outside the engine (encoding, a protocol fault) fails an open transaction.
    pub fn fail_transaction(&self) {
        let state = self.lock();
        if state.transaction() == TransactionStatus::Active {
            state.set_transaction(TransactionStatus::Failed);
        }
    }

    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.lock().notices)
    }

    /// Settings whose change the client is told of (ParameterStatus), since the last call; at first, all of them.
    pub fn take_parameter_changes(&self) -> Vec<(String, String)> {
        self.lock().settings.take_changes()
    }

    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The number by which others know this session.
    pub fn pid(&self) -> i32 {
        self.names.about.present.pid()
    }

    pub(super) fn search_path(&self) -> Vec<String> {
        self.names.search_path_schemas()
    }

    /// Plans a statement and forgets the plan: an error where it would not run.
    pub(super) async fn plan_only(&self, statement: &Statement) -> Result<()> {
        match &statement.kind {
            StatementKind::Sql(sql) => self.plan(sql).await.map(|_| ()),
            StatementKind::Access(_)
            | StatementKind::Cursor(_)
            | StatementKind::Prepared(_)
            | StatementKind::Copy(_)
            | StatementKind::Ddl(_) => Err(Error::new(Reason::Syntax, "not an expression")),
        }
    }

    /// The same of a mask: it may show pseudonyms where a superuser writes it.
    pub(super) async fn plan_mask(&self, statement: &Statement) -> Result<()> {
        let superuser = self.security().snapshot().is_superuser(self.principal().get().current_role());
        match &statement.kind {
            StatementKind::Sql(sql) => {
                self.plan_judged(sql, if superuser { judge_mask } else { judge }).await.map(|_| ())
            }
            StatementKind::Access(_)
            | StatementKind::Cursor(_)
            | StatementKind::Prepared(_)
            | StatementKind::Copy(_)
            | StatementKind::Ddl(_) => Err(Error::new(Reason::Syntax, "not an expression")),
        }
    }

    pub(super) fn names(&self) -> &Arc<Names> {
        &self.names
    }

    pub(super) fn context(&self) -> &SessionContext {
        &self.context
    }

    pub(super) fn time_zone(&self) -> String {
        self.names.time_zone()
    }

    pub(super) fn lake(&self) -> &Lake {
        &self.lake
    }

    pub(super) fn principal(&self) -> &PrincipalHandle {
        self.names.principal()
    }

    pub(super) fn security(&self) -> &SecurityHandle {
        self.names.security()
    }

    fn begin_statement(&self) -> StatementGuard {
        self.names.begin_statement();
        self.canceller.begin(self.lock().settings.statement_timeout())
    }

    /// An error fails an open transaction.
    pub(super) fn settle<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.fail_transaction();
        }
        outcome
    }

    pub(super) async fn describe(&self, statement: &Statement, types: &[Option<DataType>]) -> Result<Arc<Prepared>> {
        self.admit(statement).await?;
        let Described { parameters, columns, plan } = self.described(statement, types).await?;
        let (statement, types, shown) = (statement.clone(), types.to_vec(), Shown::of(statement));
        let prepared = Arc::new(Prepared { statement, parameters, columns, types, shown });
        if let Some((plan, ground)) = plan
            && matches!(prepared.statement.kind, StatementKind::Sql(_))
        {
            self.keep(&prepared, &plan, ground);
        }
        Ok(prepared)
    }

    async fn described(&self, statement: &Statement, types: &[Option<DataType>]) -> Result<Described> {
        Ok(match &statement.kind {
            StatementKind::Access(_) | StatementKind::Ddl(_) => Described::without_rows(),
            StatementKind::Cursor(cursor) => self.describe_cursor(cursor, types).await?,
            StatementKind::Copy(copy) => match copy.as_ref() {
                CopyStatement::Out { query, .. } => self.describe_query(query, types).await?,
                CopyStatement::In { table, columns, .. } => {
                    self.require_copy(table, columns)?;
                    Described::without_rows()
                }
                CopyStatement::File => return Err(no_files()),
            },
            StatementKind::Prepared(prepared) => match prepared.as_ref() {
                // Each run of it gives the columns that PREPARE found, or is refused.
                PreparedStatement::Execute { name, .. } => {
                    Described::with_columns(self.executed(name)?.and_then(|prepared| prepared.columns.clone()))
                }
                PreparedStatement::Prepare { .. } | PreparedStatement::Deallocate { .. } => Described::without_rows(),
            },
            StatementKind::Sql(sql) => match (Utility::of(sql)?, sql.as_ref()) {
                (Some(utility), _) => Described::with_columns(self.utility_columns(&utility)?),
                (None, ast::Statement::Insert(insert)) => {
                    let parameters = parameters(&self.plan_insert(insert).await?.rows, types)?;
                    Described { parameters, ..Described::without_rows() }
                }
                (None, _) => self.describe_query(sql, types).await?,
            },
        })
    }

    async fn describe_cursor(&self, statement: &CursorStatement, types: &[Option<DataType>]) -> Result<Described> {
        match statement {
            CursorStatement::Declare { query, .. } => {
                let described = self.describe_query(&ast::Statement::Query(query.clone()), types).await?;
                Ok(Described { parameters: described.parameters, ..Described::without_rows() })
            }
            CursorStatement::Fetch { name, count_only: false, .. } => {
                Ok(Described::with_columns(Some(self.cursors.columns(name)?)))
            }
            _ => Ok(Described::without_rows()),
        }
    }

    async fn answer(
        &self,
        prepared: &Arc<Prepared>,
        values: Vec<ScalarValue>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        guard.run(self.admit(&prepared.statement)).await??;
        let StatementKind::Prepared(named) = &prepared.statement.kind else {
            return self.answer_one(prepared, values, guard).await;
        };
        let PreparedStatement::Execute { name, arguments } = named.as_ref() else {
            return guard.run(self.manage_prepared(named)).await?;
        };
        match guard.run(self.execution(name, arguments)).await?? {
            Some((prepared, values)) => self.answer_one(&prepared, values, guard).await,
            None => Ok(Answer::Empty),
        }
    }

    /// Answers a statement that is no EXECUTE.
    async fn answer_one(
        &self,
        prepared: &Arc<Prepared>,
        values: Vec<ScalarValue>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        let sql = match &prepared.statement.kind {
            StatementKind::Sql(sql) => sql,
            StatementKind::Cursor(cursor) => return guard.run(self.answer_cursor(cursor, values, guard)).await?,
            StatementKind::Prepared(_) => return Err(Error::new(Reason::Internal, "an EXECUTE within an EXECUTE")),
            StatementKind::Copy(copy) => match copy.as_ref() {
                CopyStatement::Out { query, .. } => {
                    let told = prepared.columns.as_ref();
                    return guard.run(self.answer_query(query, values, told, guard)).await?;
                }
                CopyStatement::In { table, columns, form } => return self.copy_from(table, columns, form, guard),
                CopyStatement::File => return Err(no_files()),
            },
            StatementKind::Access(change) => {
                let applied = guard.run(self.change_access(change)).await??;
                return Ok(Answer::Done { tag: applied });
            }
            StatementKind::Ddl(ddl) => {
                let tag = guard.run(self.define(ddl)).await??;
                return Ok(Answer::Done { tag });
            }
        };
        if let Some(utility) = Utility::of(sql)? {
            return self.answer_utility(&utility, guard).await;
        }
        if let ast::Statement::Insert(insert) = sql.as_ref() {
            return guard.run(self.insert(insert, values)).await?;
        }
        guard.run(self.answer_prepared(prepared, sql, values, guard)).await?
    }

    async fn answer_cursor(
        &self,
        statement: &CursorStatement,
        values: Vec<ScalarValue>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        match statement {
            CursorStatement::Declare { name, hold, query } => {
                if !hold && self.transaction() == TransactionStatus::Idle {
                    let text = "DECLARE CURSOR can only be used in transaction blocks";
                    return Err(Error::new(Reason::NoTransaction, text).with_hint("or declare it WITH HOLD"));
                }
                self.cursors.ensure_free(name)?;
                let query = ast::Statement::Query(query.clone());
                let types: Vec<_> = values.iter().map(|value| Some(value.data_type())).collect();
                let columns = self.describe_query(&query, &types).await?.columns;
                if let Answer::Rows { schema, stream, .. } = self.answer_query(&query, values, None, guard).await? {
                    // What was planned says more of the types than what runs.
                    self.cursors.open(name, *hold, columns.unwrap_or(schema), stream);
                }
            }
            CursorStatement::Fetch { name, rows_max, count_only: false } => {
                return Ok(rows("FETCH", self.cursors.fetch(name, *rows_max)?, guard));
            }
            CursorStatement::Fetch { name, rows_max, count_only: true } => {
                let passed = explain::drain(self.cursors.fetch(name, *rows_max)?).await?;
                return Ok(Answer::Done { tag: format!("MOVE {passed}") });
            }
            CursorStatement::Close { name } => self.cursors.close(name.as_deref())?,
            CursorStatement::Refused { reason, text } => return Err(Error::new(*reason, *text)),
        }
        Ok(Answer::Done { tag: statement.tag().to_owned() })
    }

    /// The columns of an open cursor: to the protocol it is a portal.
    pub fn cursor_columns(&self, name: &str) -> Result<SchemaRef> {
        self.cursors.columns(name)
    }

    /// Closes a cursor; one that does not exist is as good as closed.
    pub fn close_cursor(&self, name: &str) {
        let _ = self.cursors.close(Some(name));
    }

    async fn answer_utility(&self, utility: &Utility, guard: &StatementGuard) -> Result<Answer> {
        if let Some(columns) = self.utility_columns(utility)? {
            let batch = self.shown(utility, columns)?;
            return Ok(rows("SHOW", once(batch), guard));
        }
        let failed = self.transaction() == TransactionStatus::Failed;
        match utility {
            // What may have been done cannot be given up half way.
            Utility::Commit { .. } => self.commit().await?,
            utility => guard.run(self.do_utility(utility)).await??,
        }
        // COMMIT of a failed transaction rolls back, and says so.
        let tag = if failed && matches!(utility, Utility::Commit { .. }) { "ROLLBACK" } else { utility.tag() };
        Ok(Answer::Done { tag: tag.to_owned() })
    }

    /// Brings the engine in line with settings that it reads itself, and the settings that follow the principal.
    pub(super) async fn follow_settings(&self) -> Result<()> {
        let zone = {
            let mut state = self.lock();
            let (security, principal) = (self.security().snapshot(), self.principal().get());
            let superuser = security.is_superuser(principal.current_role());
            state.settings.follow("session_authorization", &principal.session_user_name(&security));
            state.settings.follow("is_superuser", if superuser { "on" } else { "off" });
            let row_security = state.settings.is_on("row_security");
            self.names.set_row_security(row_security);
            state.settings.time_zone().to_owned()
        };
        let current = self.context.state().config_options().execution.time_zone.clone();
        if current.as_deref() == Some(zone.as_str()) {
            return Ok(());
        }
        let set = format!("SET datafusion.execution.time_zone = '{}'", zone.replace('\'', "''"));
        self.context.sql(&set).await.map_err(failure)?;
        self.context.register_udf(AsOf::new(self.as_of.clone(), &zone).into());
        self.planner.renew();
        Ok(())
    }

    /// An error where the transaction has failed, or another session has changed what it relies on. Its end always comes.
    async fn admit(&self, statement: &Statement) -> Result<()> {
        let ends = match &statement.kind {
            StatementKind::Sql(sql) => Utility::of(sql)?.is_some_and(|utility| utility.ends_transaction()),
            StatementKind::Access(_)
            | StatementKind::Cursor(_)
            | StatementKind::Prepared(_)
            | StatementKind::Copy(_)
            | StatementKind::Ddl(_) => false,
        };
        if ends {
            return Ok(());
        }
        if self.transaction() != TransactionStatus::Failed {
            return self.follow_others().await;
        }
        let text = "current transaction is aborted, commands ignored until end of transaction block";
        Err(Error::new(Reason::TransactionFailed, text))
    }

    fn utility_columns(&self, utility: &Utility) -> Result<Option<SchemaRef>> {
        let names: Vec<&str> = match utility {
            Utility::Show { name } => vec![settings::full_name(name)],
            Utility::ShowAll => vec!["name", "setting", "description"],
            _ => return Ok(None),
        };
        let fields: Vec<Field> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, false)).collect();
        Ok(Some(Arc::new(Schema::new(fields))))
    }

    fn shown(&self, utility: &Utility, columns: SchemaRef) -> Result<RecordBatch> {
        let state = self.lock();
        let arrays: Vec<ArrayRef> = match utility {
            Utility::Show { name } if name.eq_ignore_ascii_case("role") => {
                vec![Arc::new(StringArray::from(vec![role_shown(
                    &self.principal().get(),
                    &self.security().snapshot(),
                )]))]
            }
            Utility::Show { name } => vec![Arc::new(StringArray::from(vec![state.settings.show(name)?]))],
            _ => {
                let rows: Vec<_> = state.settings.rows().collect();
                let column = |pick: fn(&(&'static str, &str, &'static str)) -> String| -> ArrayRef {
                    Arc::new(rows.iter().map(|row| Some(pick(row))).collect::<StringArray>())
                };
                vec![column(|row| row.0.into()), column(|row| row.1.into()), column(|row| row.2.into())]
            }
        };
        RecordBatch::try_new(columns, arrays).map_err(|error| Error::of(Reason::Internal, error))
    }
}

#[cfg(test)]
impl Lake {
    /// A lake in memory with one empty table, for tests of the doors.
    pub async fn detached() -> Result<Self> {
        let table = crate::dataset::DatasetFile {
            path: "tables/numbers.sql".to_owned(),
            bytes: b"CREATE TABLE numbers (number integer)".to_vec(),
        };
        let dataset = crate::dataset::Dataset::parse("detached", vec![table])?;
        Self::found("memory://detached", &dataset, "secret", super::Limits::default()).await
    }
}

/// An instant from text, in microseconds since 1970 UTC; a text without an offset is local time in `zone`.
pub(super) fn instant(text: &str, zone: &str) -> Result<i64> {
    let refused = || Error::new(Reason::InvalidParameter, format!("'{text}' is not a date or time"));
    let clock: arrow::array::timezone::Tz = zone.parse().map_err(|_| refused())?;
    if let Ok(parsed) = arrow::compute::kernels::cast_utils::string_to_datetime(&clock, text.trim()) {
        return Ok(parsed.timestamp_micros());
    }
    // The other ways in which PostgreSQL lets a time be written: without seconds, for one.
    let read = literal(&SqlType::TimestampTz, text.trim(), zone).map_err(|_| refused())?;
    let instants = read.as_primitive_opt::<TimestampMicrosecondType>().filter(|instants| instants.is_valid(0));
    instants.map(|instants| instants.value(0)).ok_or_else(refused)
}

/// The columns under the names that PostgreSQL would give them.
pub(super) fn shown(schema: &Schema) -> SchemaRef {
    let named = |field: &Arc<Field>| field.as_ref().clone().with_name(catalog::shown_name(field.name()));
    Arc::new(Schema::new(schema.fields().iter().map(named).collect::<Vec<_>>()))
}

pub(super) fn rows(tag: &'static str, stream: SendableRecordBatchStream, guard: &StatementGuard) -> Answer {
    Answer::Rows { tag, schema: shown(&stream.schema()), stream, guard: guard.clone() }
}

pub(super) fn once(batch: RecordBatch) -> SendableRecordBatchStream {
    let schema = batch.schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)])))
}

fn no_files() -> Error {
    Error::new(Reason::Privilege, "COPY to or from a file of the server is not allowed")
        .with_hint("COPY TO STDOUT, COPY FROM STDIN and psql's \\copy work for every user.")
}

pub(super) fn unsupported(statement: &ast::Statement) -> Error {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    Error::new(Reason::Unsupported, format!("{} is not supported", words.join(" ").to_uppercase()))
}
