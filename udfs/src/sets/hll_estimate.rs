//! `hll_estimate`: how many different values a sketch has seen.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::hll::{coerce_sketch, read};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "How many different values a sketch of hll_build has seen, DOUBLE: nearly exact up to some hundreds, then with a standard error of 1.6 %. \
            It does not depend on how sketches were merged. NULL where the sketch is NULL or no sketch of hll_build. \
            Source: the composite estimator of Apache DataSketches.",
        syntax: "hll_estimate(sketch bytea) -> double precision",
        arguments: &[("sketch", "Sketch of hll_build or hll_merge.")],
        example: "SELECT round(hll_estimate(hll_build(one_id))) AS buyers FROM orders",
        related: &["hll_build", "hll_merge"],
    }
    .build()
});

/// The scalar `hll_estimate(sketch)`.
pub struct HllEstimate;

impl ScalarDefinition for HllEstimate {
    const NAME: &'static str = "hll_estimate";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [sketch] = take_function_args(Self::NAME, types)?;
        Ok(vec![coerce_sketch(Self::NAME, sketch)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sketches] = take_function_args(Self::NAME, args.args)?;
        let sketches = sketches.to_array(args.number_rows)?;
        let estimates = sketches.as_binary::<i32>().iter().map(|sketch| {
            // The composite estimate looks at registers alone, not at the order in which values came.
            let estimate = read(sketch?)?.composite_estimate();
            estimate.is_finite().then_some(estimate)
        });
        Ok(ColumnarValue::Array(Arc::new(estimates.collect::<Float64Array>())))
    }
}
