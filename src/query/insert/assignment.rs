//! Values that go into a column as PostgreSQL assigns them, where the engine's cast is another.
//!
//! A literal text is read in the input form of the column's type: `'{1,2}'`, `'\x00ff'`, `'yes'`. A number with a fraction that
//! goes into an integer is rounded; the engine would cut the fraction off. A text that is no literal is no array and no bytes.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::functions::math::expr_fn::round;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, Projection, Values};

use super::target::Columns;
use crate::dataset::{Column, Contract};
use crate::error::{Error, Reason, Result};
use crate::ingest::literal;
use crate::query::failure::failure;

/// The casts that the engine puts around the rows of one INSERT.
pub struct Assignment<'a> {
    pub contract: &'a Contract,
    pub zone: &'a str,
}

impl Assignment<'_> {
    /// The rows with these casts made PostgreSQL's: in the columns that the plan gives, and in the VALUES beneath it, whose
    /// columns are `columns`.
    pub fn assigned(&self, plan: LogicalPlan, columns: Option<&Columns>) -> Result<LogicalPlan> {
        let LogicalPlan::Projection(projection) = plan else { return Ok(plan) };
        let input = match (projection.input.as_ref(), columns) {
            (LogicalPlan::Values(values), Some(columns)) => Arc::new(self.values(values, columns)?),
            _ => Arc::clone(&projection.input),
        };
        let outputs = projection.expr.into_iter().zip(&self.contract.columns);
        let outputs = outputs.map(|(expr, column)| self.value(expr, column, input.schema()));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        Ok(LogicalPlan::Projection(Projection::try_new(outputs, input).map_err(failure)?))
    }

    fn values(&self, values: &Values, columns: &Columns) -> Result<LogicalPlan> {
        let columns: Vec<&Column> = columns.of(&self.contract.columns).collect();
        let empty = DFSchema::empty();
        let row = |row: &Vec<Expr>| {
            let cells = row.iter().zip(&columns);
            cells.map(|(cell, column)| self.value(cell.clone(), column, &empty)).collect::<Result<Vec<_>>>()
        };
        let rows = values.values.iter().map(row).collect::<Result<_>>()?;
        Ok(LogicalPlan::Values(Values { schema: Arc::clone(&values.schema), values: rows }))
    }

    fn value(&self, expr: Expr, column: &Column, schema: &DFSchema) -> Result<Expr> {
        match expr {
            Expr::Alias(alias) => {
                let expr = Box::new(self.value(*alias.expr.clone(), column, schema)?);
                Ok(Expr::Alias(Alias { expr, ..alias }))
            }
            Expr::Cast(cast) => self.cast(cast, column, schema),
            other => Ok(other),
        }
    }

    fn cast(&self, cast: Cast, column: &Column, schema: &DFSchema) -> Result<Expr> {
        if let Expr::Literal(value, _) = cast.expr.as_ref()
            && let Some(Some(text)) = value.try_as_str()
        {
            return self.literal(text, column);
        }
        let from = cast.expr.get_type(schema).map_err(failure)?;
        let to = cast.field.data_type();
        let is_text = matches!(from, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
        if is_text && matches!(to, DataType::List(_) | DataType::Binary | DataType::BinaryView) {
            let text =
                format!("column \"{}\" is of type {} but expression is of type text", column.name, column.sql_type);
            return Err(Error::new(Reason::DatatypeMismatch, text));
        }
        let fractional =
            matches!(from, DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float32 | DataType::Float64);
        if fractional && to.is_integer() {
            return Ok(Expr::Cast(Cast { expr: Box::new(round(vec![*cast.expr])), field: cast.field }));
        }
        Ok(Expr::Cast(cast))
    }

    fn literal(&self, text: &str, column: &Column) -> Result<Expr> {
        let stored = literal(&column.sql_type, text, self.zone)?;
        let internal = |error| Error::of(Reason::Internal, error);
        let value = arrow::compute::cast(&stored, &column.sql_type.arrow(self.zone)).map_err(internal)?;
        Ok(Expr::Literal(ScalarValue::try_from_array(&value, 0).map_err(failure)?, None))
    }
}
