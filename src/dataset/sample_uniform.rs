//! `sample_uniform(stream, key)`: a number in [0, 1) that depends on nothing but its arguments.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
/// 2 to the power of 53: as many steps as a double has between 0 and 1.
const STEPS: f64 = 9_007_199_254_740_992.0;

/// The SQL function. A NULL argument gives NULL.
pub fn sample_uniform() -> ScalarUDF {
    ScalarUDF::new_from_impl(SampleUniform {
        signature: Signature::exact(vec![DataType::Utf8, DataType::Int64], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SampleUniform {
    signature: Signature,
}

impl ScalarUDFImpl for SampleUniform {
    fn name(&self) -> &str {
        "sample_uniform"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [stream, key] = take_function_args(self.name(), args.args)?;
        let keys = cast(&key.to_array(rows)?, &DataType::Int64)?;
        let keys = keys.as_primitive::<Int64Type>();
        let one_stream = matches!(stream, ColumnarValue::Scalar(_));
        let streams = cast(&stream.to_array(if one_stream { 1 } else { rows })?, &DataType::Utf8)?;
        let streams = streams.as_string::<i32>();
        let hash_at = |row: usize| streams.is_valid(row).then(|| fnv1a64(streams.value(row).as_bytes()));
        let values: Float64Array = if one_stream {
            let hash = hash_at(0);
            keys.iter().map(|key| Some(uniform(hash?, key?))).collect()
        } else {
            keys.iter().enumerate().map(|(row, key)| Some(uniform(hash_at(row)?, key?))).collect()
        };
        Ok(ColumnarValue::Array(Arc::new(values) as ArrayRef))
    }
}

/// The finaliser of SplitMix64 over the stream's hash and the key.
fn uniform(stream_hash: u64, key: i64) -> f64 {
    let mut z = stream_hash ^ key.cast_unsigned().wrapping_mul(GOLDEN_GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / STEPS
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// Test vectors of the FNV reference page: "" and "a".
    #[test]
    fn the_stream_hash_is_fnv1a() {
        assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    /// Computed from the definition by a Python program with exact integers.
    #[test]
    fn values_are_those_of_the_definition() {
        assert_eq!(uniform(fnv1a64(b"orders"), 1), EXPECTED[0]);
        assert_eq!(uniform(fnv1a64(b"orders"), -5), EXPECTED[1]);
        assert_eq!(uniform(fnv1a64("城市".as_bytes()), i64::MAX), EXPECTED[2]);
    }

    const EXPECTED: [f64; 3] = [0.40319004111520884, 0.2358257059456359, 0.10926677340264634];
}
