//! A session: one principal, its settings, its own catalog, its transaction state.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::answer::{Answer, Notice, TransactionStatus};
use super::guard::Canceller;
use crate::error::{Error, Reason, Result};

/// One parsed statement and the text that it came from.
#[derive(Debug, Clone)]
pub struct Statement {
    pub text: String,
    pub ast: ast::Statement,
}

/// A statement whose parameters and columns are known.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub statement: Statement,
    /// The type of `$1`, `$2`, ...
    pub parameters: Vec<DataType>,
    /// The columns of its answer; `None` where it gives no rows.
    pub columns: Option<SchemaRef>,
}

pub struct Session {
    context: SessionContext,
    canceller: Canceller,
}

impl Session {
    /// A session without a lake.
    pub fn detached() -> Self {
        let config = SessionConfig::new().with_information_schema(false);
        Self { context: SessionContext::new_with_config(config), canceller: Canceller::default() }
    }

    /// Splits a text into its statements. An empty text gives none.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .map_err(|error| Error::new(Reason::Syntax, error.to_string()))?;
        Ok(parsed.into_iter().map(|ast| Statement { text: ast.to_string(), ast }).collect())
    }

    /// Plans a statement far enough to know its parameters and columns. `types` are the client's hints, `None` where it gave none.
    pub async fn prepare(&self, statement: &Statement, types: &[Option<DataType>]) -> Result<Prepared> {
        let _ = types;
        let plan = self.plan(statement).await?;
        let parameters = Vec::new();
        let columns = SchemaRef::new(plan.schema().as_arrow().clone());
        Ok(Prepared { statement: statement.clone(), parameters, columns: Some(columns) })
    }

    /// Runs a prepared statement with one value per parameter.
    pub async fn run(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Answer> {
        let _ = values;
        let guard = self.canceller.begin(None);
        let work = async {
            let plan = self.plan(&prepared.statement).await?;
            let frame = self.context.execute_logical_plan(plan).await.map_err(internal)?;
            frame.execute_stream().await.map_err(internal)
        };
        let stream = guard.run(work).await??;
        Ok(Answer::Rows { tag: "SELECT", schema: stream.schema(), stream, guard })
    }

    /// Runs one statement and streams its rows; a statement without rows gives an empty stream.
    pub async fn execute(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let frame = self.context.sql(sql).await.map_err(internal)?;
        frame.execute_stream().await.map_err(internal)
    }

    pub fn transaction(&self) -> TransactionStatus {
        TransactionStatus::Idle
    }

    /// An error outside the engine (encoding, a protocol fault) that must fail an open transaction.
    pub fn fail_transaction(&self) {}

    pub fn take_notices(&self) -> Vec<Notice> {
        Vec::new()
    }

    /// Settings whose change the client is told of (ParameterStatus), since the last call; at first, all of them.
    pub fn take_parameter_changes(&self) -> Vec<(String, String)> {
        vec![("server_version".into(), "16.6".into()), ("client_encoding".into(), "UTF8".into())]
    }

    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    async fn plan(&self, statement: &Statement) -> Result<datafusion::logical_expr::LogicalPlan> {
        let parsed = DfStatement::Statement(Box::new(statement.ast.clone()));
        self.context.state().statement_to_plan(parsed).await.map_err(internal)
    }
}

fn internal(error: datafusion::error::DataFusionError) -> Error {
    Error::new(Reason::Internal, error.to_string())
}
