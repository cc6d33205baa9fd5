//! PostgreSQL's operators, casts and functions where the engine has none, or another one.

mod alike;
pub mod arguments;
mod arithmetic;
mod arrays;
mod bytes;
mod casts;
mod clocks;
mod concat;
mod counts;
mod days;
mod domains;
mod fields;
mod intervals;
mod json;
mod lengths;
mod making;
mod narrowing;
mod numbers;
mod pattern;
mod plain;
mod planner;
mod preparation;
mod regexps;
mod rewriting;
mod series;
mod texts;
mod truncation;
mod types;
pub mod value;
mod volatile;
mod zones;

pub use rewriting::change_expressions;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::{ExprPlanner, TypePlanner};
use datafusion::optimizer::AnalyzerRule;

/// The functions, by their own names; those of the engine with the same name give way.
pub fn functions() -> Vec<ScalarUDF> {
    let plain = [json::FUNCTIONS, regexps::FUNCTIONS, arrays::FUNCTIONS, counts::FUNCTIONS, volatile::FUNCTIONS]
        .into_iter()
        .flatten();
    let plain = plain.map(|function| ScalarUDF::new_from_impl(plain::PlainUdf::new(*function)));
    plain
        .chain(arrays::functions())
        .chain(bytes::functions())
        .chain(concat::functions())
        .chain(domains::functions())
        .chain(fields::functions())
        .chain(making::functions())
        .chain(numbers::functions())
        .chain(series::functions())
        .chain(truncation::functions())
        .chain(pattern::functions())
        .chain(intervals::functions())
        .chain(zones::functions())
        .chain(casts::functions())
        .collect()
}

/// What operators mean for the types that they stand between.
pub fn expr_planner() -> Arc<dyn ExprPlanner> {
    Arc::new(planner::PostgresOperators)
}

/// The types that a cast may name.
pub fn type_planner() -> Arc<dyn TypePlanner> {
    Arc::new(types::PostgresTypes)
}

/// The rules that must come before types are coerced.
pub fn preparing_rules() -> [Arc<dyn AnalyzerRule + Send + Sync>; 3] {
    [Arc::new(preparation::Preparation), Arc::new(alike::AlikeParts), Arc::new(lengths::IntervalWindows)]
}

/// The rules that follow once they are.
pub fn concluding_rules() -> [Arc<dyn AnalyzerRule + Send + Sync>; 4] {
    [
        Arc::new(lengths::IntervalLengths),
        Arc::new(days::DaySpans),
        Arc::new(casts::PostgresCasts),
        Arc::new(arithmetic::CheckedArithmetic),
    ]
}
