//! The arguments of `(pattern, ts, condition, ...)`.

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::function::AccumulatorArgs;

use super::events::coerce_events;
use super::pattern::Pattern;
use crate::constants::{aggregate_constant, text};

/// Where ts stands among the arguments.
pub(super) const TS: usize = 1;

pub(super) fn coerce(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [_, events @ ..] = types else {
        return plan_err!("{function}: pattern, ts and conditions are needed, got {} arguments", types.len());
    };
    let mut coerced = vec![DataType::Utf8];
    coerced.extend(coerce_events(function, events)?);
    Ok(coerced)
}

pub(super) fn pattern_of(function: &str, args: &AccumulatorArgs) -> Result<Pattern> {
    let Some(pattern) = aggregate_constant(args, function, 0, "pattern")? else {
        return exec_err!("{function}: pattern is missing");
    };
    let pattern = text(&pattern, function, "pattern", "a text")?;
    Pattern::parse(function, &pattern, args.exprs.len().saturating_sub(2))
}
