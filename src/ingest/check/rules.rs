//! The SQL of a contract, run on batches: DEFAULT, the dataset's default rules, CHECK.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, concat, is_null};
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast;

use super::super::cell::zone::ZoneClock;
use super::super::cell::{CellFault, FaultMap, Faults, column};
use super::super::error::IngestError;
use super::mapping::Mapping;
use crate::dataset::{Contract, SqlType};

/// The planned rules of a contract.
pub struct Rules {
    /// The row as rules see it: instants in the session's zone, times of day as such.
    seen: SchemaRef,
    /// DEFAULT, where the file has no such column.
    defaults: Vec<Rule>,
    /// The dataset's rules, where the row has no value.
    fills: Vec<Rule>,
    checks: Vec<Rule>,
    names: Vec<String>,
    contract: Arc<Contract>,
}

struct Rule {
    /// The column that it fills; of a check, the first that it reads.
    column: Option<usize>,
    value: Value,
}

enum Value {
    /// One value for every row, of the stored type.
    Constant(ArrayRef),
    Expression(Arc<dyn PhysicalExpr>),
}

impl Rules {
    pub fn plan(contract: &Arc<Contract>, zone: &str) -> Result<Self, IngestError> {
        let seen = seen_schema(contract, zone);
        let planner = Planner { contract, zone, seen: DFSchema::try_from(Arc::clone(&seen))?, state: state(zone) };
        let mut defaults = Vec::new();
        for (nth, wanted) in contract.columns.iter().enumerate() {
            if let Some(text) = &wanted.default {
                defaults.push(planner.value(nth, text)?);
            }
        }
        let mut fills = Vec::new();
        for (name, text) in &contract.defaults {
            if let Some(nth) = contract.columns.iter().position(|wanted| wanted.name == *name) {
                fills.push(planner.value(nth, text)?);
            }
        }
        let checks = contract.checks.iter().map(|check| planner.check(&check.condition)).collect::<Result<_, _>>()?;
        let names = contract.checks.iter().map(|check| check.name.clone()).collect();
        Ok(Self { seen, defaults, fills, checks, names, contract: Arc::clone(contract) })
    }

    /// Gives values to the columns that the file lacks, then to the rows that lack one.
    pub fn fill(&self, columns: &mut [ArrayRef], mapping: &Mapping, faults: &mut FaultMap) -> Result<(), IngestError> {
        for rule in &self.defaults {
            if let Some(nth) = rule.column
                && mapping.columns[nth].is_none()
                && columns[nth].null_count() == columns[nth].len()
            {
                columns[nth] = self.value(rule, nth, columns, faults)?;
            }
        }
        let given = columns.to_vec();
        for rule in &self.fills {
            let Some(nth) = rule.column.filter(|nth| given[*nth].null_count() > 0) else { continue };
            let value = self.value(rule, nth, &given, faults)?;
            columns[nth] = if given[nth].null_count() == given[nth].len() {
                value
            } else {
                zip(&is_null(&given[nth])?, &value, &given[nth])?
            };
        }
        Ok(())
    }

    /// Finds the rows for which a check is false.
    pub fn check(&self, columns: &[ArrayRef], faults: &mut FaultMap) -> Result<(), IngestError> {
        for (rule, name) in self.checks.iter().zip(&self.names) {
            let Value::Expression(expression) = &rule.value else { continue };
            let holds = self.evaluate(expression, columns, &DataType::Boolean, rule.column, faults)?;
            let holds = holds.as_boolean();
            if holds.true_count() == holds.len() {
                continue;
            }
            for row in (0..holds.len()).filter(|row| holds.is_valid(*row) && !holds.value(*row)) {
                Faults::new(faults, rule.column.unwrap_or(0)).add(row, CellFault::Check { name: name.clone() });
            }
        }
        Ok(())
    }

    fn value(
        &self,
        rule: &Rule,
        nth: usize,
        columns: &[ArrayRef],
        faults: &mut FaultMap,
    ) -> Result<ArrayRef, IngestError> {
        match &rule.value {
            Value::Constant(value) => repeated(value, columns[nth].len()),
            Value::Expression(expression) => {
                let target = self.contract.columns[nth].sql_type.stored();
                self.evaluate(expression, columns, &target, Some(nth), faults)
            }
        }
    }

    /// Runs an expression over the batch. Where a row makes it fail, over each row, so that only that row has a fault.
    fn evaluate(
        &self,
        expression: &Arc<dyn PhysicalExpr>,
        columns: &[ArrayRef],
        target: &DataType,
        column: Option<usize>,
        faults: &mut FaultMap,
    ) -> Result<ArrayRef, IngestError> {
        let batch = self.seen(columns)?;
        if let Ok(value) = once(expression, &batch, target) {
            return Ok(value);
        }
        let mut rows = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            rows.push(once(expression, &batch.slice(row, 1), target).unwrap_or_else(|error| {
                let rule = expression.to_string();
                let message = error.strip_backtrace();
                let fault = CellFault::Evaluation { rule, message };
                Faults::new(faults, column.unwrap_or(0)).add(row, fault);
                arrow::array::new_null_array(target, 1)
            }));
        }
        let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
        if rows.is_empty() { Ok(arrow::array::new_empty_array(target)) } else { Ok(concat(&rows)?) }
    }

    /// The stored columns as rules see them. No value is copied.
    fn seen(&self, columns: &[ArrayRef]) -> Result<RecordBatch, IngestError> {
        let seen = self.seen.fields().iter().zip(columns).map(|(field, array)| -> ArrayRef {
            match field.data_type() {
                DataType::Timestamp(_, Some(zone)) => {
                    let instants = array.as_primitive::<TimestampMicrosecondType>().clone();
                    Arc::new(instants.with_timezone(Arc::clone(zone)))
                }
                DataType::Time64(_) => {
                    let times = array.as_primitive::<Int64Type>();
                    Arc::new(times.reinterpret_cast::<Time64MicrosecondType>())
                }
                _ => Arc::clone(array),
            }
        });
        let rows = columns.first().map_or(0, |array| array.len());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.seen), seen.collect(), &options)?)
    }
}

fn once(
    expression: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
    target: &DataType,
) -> Result<ArrayRef, DataFusionError> {
    let value = expression.evaluate(batch)?.into_array(batch.num_rows())?;
    Ok(cast_seen(&value, target)?)
}

/// From what a rule gives to the stored type.
fn cast_seen(value: &ArrayRef, target: &DataType) -> Result<ArrayRef, arrow::error::ArrowError> {
    let strict = arrow::compute::CastOptions { safe: false, ..Default::default() };
    match (value.data_type(), target) {
        (from, target) if from == target => Ok(Arc::clone(value)),
        (DataType::Time64(_), DataType::Int64) => {
            cast(&cast(value, &DataType::Time64(arrow::datatypes::TimeUnit::Microsecond))?, target)
        }
        _ => arrow::compute::cast_with_options(value, target, &strict),
    }
}

fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef, IngestError> {
    let zeros = arrow::array::UInt32Array::from(vec![0; rows]);
    Ok(arrow::compute::take(value, &zeros, None)?)
}

fn seen_schema(contract: &Contract, zone: &str) -> SchemaRef {
    let fields: Vec<Field> = contract
        .columns
        .iter()
        .map(|column| {
            let seen = match &column.sql_type {
                SqlType::TimestampTz | SqlType::Time => column.sql_type.arrow(zone),
                other => other.stored(),
            };
            Field::new(&column.name, seen, true)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn state(zone: &str) -> SessionState {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some(zone.to_owned());
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    SessionContext::new_with_config(config).state()
}

struct Planner<'a> {
    contract: &'a Contract,
    zone: &'a str,
    seen: DFSchema,
    state: SessionState,
}

impl Planner<'_> {
    fn fault(&self, column: &str) -> impl Fn(DataFusionError) -> IngestError {
        let (table, column) = (self.contract.name.clone(), column.to_owned());
        move |source| IngestError::Rule { table: table.clone(), column: column.clone(), source }
    }

    /// The value of a column. A literal text is read as a cell of its type, as PostgreSQL does: `DEFAULT '{}'`.
    fn value(&self, nth: usize, text: &str) -> Result<Rule, IngestError> {
        let wanted = &self.contract.columns[nth];
        if let Some(literal) = literal_text(text) {
            let mut found = FaultMap::new();
            let mut clock = ZoneClock::new(self.zone.parse().unwrap_or(chrono_tz::UTC));
            let cells = StringArray::from(vec![literal]);
            let value = column(&wanted.sql_type, &mut clock, &cells, &mut Faults::new(&mut found, nth));
            if let Some(fault) = found.into_values().next() {
                let source = DataFusionError::Plan(fault.reason.to_string());
                return Err(self.fault(&wanted.name)(source));
            }
            return Ok(Rule { column: Some(nth), value: Value::Constant(value) });
        }
        let expression = self.expression(text, &wanted.sql_type.arrow(self.zone)).map_err(self.fault(&wanted.name))?;
        Ok(Rule { column: Some(nth), value: Value::Expression(expression) })
    }

    fn expression(&self, text: &str, target: &DataType) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        let logical = self.state.create_logical_expr(text, &self.seen)?;
        self.physical(logical.cast_to(target, &self.seen)?)
    }

    /// Some functions (coalesce) exist only until they are simplified away.
    fn physical(&self, logical: Expr) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(self.seen.clone()))
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        let simple = simplifier.simplify(simplifier.coerce(logical, &self.seen)?)?;
        self.state.create_physical_expr(simple, &self.seen)
    }

    fn check(&self, condition: &str) -> Result<Rule, IngestError> {
        let logical = self.state.create_logical_expr(condition, &self.seen).map_err(self.fault("check"))?;
        let position = |name: &str| self.contract.columns.iter().position(|column| column.name == name);
        let column = logical.column_refs().iter().filter_map(|column| position(&column.name)).min();
        let name = column.map_or("check", |nth| self.contract.columns[nth].name.as_str());
        let boolean = logical.cast_to(&DataType::Boolean, &self.seen).map_err(self.fault(name))?;
        let expression = self.physical(boolean).map_err(self.fault(name))?;
        Ok(Rule { column, value: Value::Expression(expression) })
    }
}

/// The text of an expression that is nothing but a string literal, cast or not.
fn literal_text(text: &str) -> Option<String> {
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, parser::Parser};
    let mut expression = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?.parse_expr().ok()?;
    while let ast::Expr::Cast { expr, .. } = expression {
        expression = *expr;
    }
    match expression {
        ast::Expr::Value(value) => value.value.into_string(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn rules(columns: &str, defaults: &[(&str, &str)]) -> Result<Rules, IngestError> {
        let mut contract =
            crate::dataset::contract("t", "orders", &format!("CREATE TABLE orders ({columns})")).unwrap();
        contract.defaults = defaults.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect();
        Rules::plan(&Arc::new(contract), "Asia/Shanghai")
    }

    fn reasons(faults: FaultMap) -> Vec<(usize, String)> {
        faults.into_iter().map(|(row, fault)| (row, fault.reason.to_string())).collect()
    }

    #[test]
    fn a_check_refuses_false_and_lets_null_pass() {
        let rules = rules("paid bigint CHECK (paid >= 0)", &[]).unwrap();
        let mut faults = FaultMap::new();
        let paid: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-1)]));
        rules.check(&[paid], &mut faults).unwrap();
        assert_eq!(reasons(faults), [(2, "new row violates check constraint \"orders_paid_check\"".to_owned())]);
    }

    #[test]
    fn a_rule_that_fails_on_a_row_refuses_that_row_alone() {
        let rules = rules("a bigint CHECK (10 / a > 1)", &[]).unwrap();
        let mut faults = FaultMap::new();
        rules.check(&[Arc::new(Int64Array::from(vec![2, 0, 5]))], &mut faults).unwrap();
        assert_eq!(faults.keys().copied().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_default_fills_an_absent_column_and_a_rule_fills_each_missing_value() {
        let columns = "channel text, team text, currency text DEFAULT 'CNY', tags text[] DEFAULT '{}'";
        let rules = rules(columns, &[("team", "CASE WHEN channel = 'shop' THEN 'store' ELSE channel END")]).unwrap();
        let text = |cells: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(cells)) };
        let tags = arrow::array::new_null_array(&SqlType::Array(Box::new(SqlType::Text)).stored(), 2);
        let mut given =
            [text(vec![Some("shop"), Some("web")]), text(vec![None, Some("x")]), text(vec![None, None]), tags];
        let mapping = Mapping { columns: vec![Some(0), Some(1), None, None], ..Mapping::default() };
        rules.fill(&mut given, &mapping, &mut FaultMap::new()).unwrap();
        assert_eq!(given[1].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("store"), Some("x")]);
        assert_eq!(given[2].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("CNY"), Some("CNY")]);
        assert_eq!(given[3].null_count(), 0);
    }

    #[test]
    fn a_rule_sees_local_days() {
        let rules = rules("at timestamptz, day date", &[("day", "CAST(at AS DATE)")]).unwrap();
        let at = arrow::array::TimestampMicrosecondArray::from(vec![1_704_038_400_000_000]).with_timezone("UTC");
        let mut columns: [ArrayRef; 2] = [Arc::new(at), arrow::array::new_null_array(&DataType::Date32, 1)];
        let mapping = Mapping { columns: vec![Some(0), None], ..Mapping::default() };
        rules.fill(&mut columns, &mapping, &mut FaultMap::new()).unwrap();
        let shown = arrow::util::display::array_value_to_string(&columns[1], 0).unwrap();
        assert_eq!(shown, "2024-01-01");
    }

    #[test]
    fn a_rule_that_does_not_plan_names_its_column() {
        let message = rules("a int", &[("a", "nonsense + 1")]).err().unwrap().to_string();
        assert!(message.starts_with("rule of column a of orders: "), "{message}");
        let message = rules("a int DEFAULT 'x'", &[]).err().unwrap().to_string();
        assert!(message.contains("invalid input syntax for type integer"), "{message}");
    }
}
