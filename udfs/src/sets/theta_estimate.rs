//! `theta_estimate`: how many different values a sketch stands for.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::theta::{coerce_sketch, read};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "How many different values a sketch of theta_build stands for, DOUBLE: exact up to 4,096, then with a standard error of 1.6 %; of what theta_and and theta_andnot give, 1.6 % of the larger set. NULL where the sketch is NULL or no sketch of theta_build. \
            Source: A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A Framework for Estimating Stream Expression Cardinalities, ICDT 2016, as Apache DataSketches hashes, computes and stores it.",
        syntax: "theta_estimate(sketch bytea) -> double precision",
        arguments: &[("sketch", "Sketch of theta_build, or one made of such.")],
        example: "SELECT round(theta_estimate(theta_build(one_id))) AS buyers FROM orders",
        related: &["theta_build", "theta_and", "theta_andnot"],
    }
    .build()
});

/// The scalar `theta_estimate(sketch)`.
pub struct ThetaEstimate;

impl ScalarDefinition for ThetaEstimate {
    const NAME: &'static str = "theta_estimate";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [sketch] = take_function_args(Self::NAME, types)?;
        Ok(vec![coerce_sketch(Self::NAME, "sketch", sketch)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sketches] = take_function_args(Self::NAME, args.args)?;
        let sketches = sketches.to_array(args.number_rows)?;
        let estimates = sketches.as_binary::<i32>().iter().map(|sketch| Some(read(sketch?)?.estimate()));
        Ok(ColumnarValue::Array(Arc::new(estimates.collect::<Float64Array>())))
    }
}
