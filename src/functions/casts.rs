//! Casts as PostgreSQL makes them, put in the place of the engine's where the two differ.
//!
//! A number with a fraction is rounded on its way to an integer, and so is `round` of a double: half to even; the engine would
//! cut off, and round half away. Texts are read and written in PostgreSQL's forms.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::common::ExprSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::change_expressions;
use super::{clocks, narrowing, texts};
use crate::forms::zone::Zone;

#[derive(Debug)]
pub struct PostgresCasts;

impl AnalyzerRule for PostgresCasts {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let zone = texts::zone(config);
        change_expressions(plan, |expr, schema| changed(expr, schema, zone))
    }

    fn name(&self) -> &str {
        "postgres_casts"
    }
}

pub fn functions() -> Vec<ScalarUDF> {
    vec![texts::to_text(), half_to_even()]
}

fn changed(expr: Expr, schema: &dyn ExprSchema, zone: Zone) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Cast(Cast { expr, field }) => match expr.get_type(schema) {
            Ok(from) => cast(*expr, &from, field, zone)?,
            Err(_) => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("round", [argument]) if matches!(argument.get_type(schema), Ok(DataType::Float32 | DataType::Float64)) => {
                Transformed::yes(call(half_to_even(), args))
            }
            ("ceil" | "floor", [argument]) => match argument.get_type(schema) {
                // Whole numbers have no places after the point.
                Ok(DataType::Decimal128(precision, scale)) if scale > 0 => {
                    let whole = whole(precision, scale);
                    // What is rounded up may have a digit more, for which the engine leaves no room.
                    let wide = DataType::Decimal128(precision.saturating_add(1).min(38), scale);
                    let args = args.into_iter().map(|arg| Expr::Cast(Cast::new(Box::new(arg), wide.clone()))).collect();
                    let value = Expr::ScalarFunction(ScalarFunction { func, args });
                    Transformed::yes(Expr::Cast(Cast::new(Box::new(value), whole)))
                }
                _ => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
            },
            _ => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
        },
        other => Transformed::no(other),
    })
}

fn cast(expr: Expr, from: &DataType, field: FieldRef, zone: Zone) -> Result<Transformed<Expr>> {
    let to = field.data_type();
    let value = match (from, to) {
        (DataType::Decimal128(precision, scale), to) if to.is_integer() && *scale > 0 => {
            call(narrowing::rounded(&whole(*precision, *scale)), vec![expr])
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(_, scale)) if scale < from => {
            call(narrowing::rounded(to), vec![expr])
        }
        (DataType::Decimal128(precision, scale), DataType::Float32 | DataType::Float64)
            if narrowing::is_long(*precision, *scale) =>
        {
            call(narrowing::nearest(), vec![expr])
        }
        (from, to) if clocks::are_read(from, to) => call(clocks::read(to), vec![expr]),
        (DataType::Float32 | DataType::Float64, to) if to.is_integer() => call(half_to_even(), vec![expr]),
        (from, to) if is_text(from) && texts::is_read(to) => {
            // A text that stands in the statement is wrong whether a row asks for it or not.
            return Ok(Transformed::yes(match &expr {
                Expr::Literal(value, _) => Expr::Literal(texts::value(value, to, zone)?, None),
                _ => call(texts::from_text(&field), vec![expr]),
            }));
        }
        (from, to) if is_text(to) && texts::is_written(from) => {
            let text = call(texts::to_text(), vec![expr]);
            return Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(text), field })));
        }
        _ => return Ok(Transformed::no(Expr::Cast(Cast { expr: Box::new(expr), field }))),
    };
    Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(value), field })))
}

/// The type of a decimal without its fraction: rounding may add a digit.
fn whole(precision: u8, scale: i8) -> DataType {
    let digits = precision.saturating_sub(scale.unsigned_abs()).saturating_add(1);
    DataType::Decimal128(digits.clamp(1, 38), 0)
}

pub fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn call(function: ScalarUDF, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction { func: Arc::new(function), args })
}

/// The nearest whole number; of two, the even one.
fn half_to_even() -> ScalarUDF {
    ScalarUDF::new_from_impl(HalfToEven { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct HalfToEven {
    signature: Signature,
}

impl ScalarUDFImpl for HalfToEven {
    fn name(&self) -> &str {
        "rint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [kind @ (DataType::Float32 | DataType::Float64)] => Ok(kind.clone()),
            _ => Err(datafusion::common::plan_datafusion_err!("rint takes a floating point number")),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [array] = arrays.as_slice() else {
            return Err(datafusion::common::plan_datafusion_err!("rint takes one number"));
        };
        let rounded: ArrayRef = match array.data_type() {
            DataType::Float32 => {
                Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::round_ties_even))
            }
            _ => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round_ties_even)),
        };
        texts::answer(&args.args, rounded)
    }
}
