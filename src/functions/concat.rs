//! `concat` and `concat_ws`: values of any type as PostgreSQL puts them out, one after another; NULL is passed over.

use std::sync::Arc;

use arrow::array::{Array, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::texts::{answer, shown, zone};

pub fn functions() -> Vec<ScalarUDF> {
    [Between::Nothing, Between::First]
        .map(|between| {
            let signature = Signature::variadic_any(Volatility::Stable);
            ScalarUDF::new_from_impl(Concat { between, signature })
        })
        .into()
}

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Between {
    Nothing,
    /// The first argument; where it is NULL, so is the whole.
    First,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Concat {
    between: Between,
    signature: Signature,
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        match self.between {
            Between::Nothing => "concat",
            Between::First => "concat_ws",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let zone = zone(&args.config_options);
        let columns = args.args.iter().map(|argument| shown(&argument.to_array(rows)?, zone));
        let columns = columns.collect::<Result<Vec<StringArray>>>()?;
        let (separators, columns) = match self.between {
            Between::Nothing => (None, columns.as_slice()),
            Between::First => (columns.first(), columns.get(1..).unwrap_or_default()),
        };
        let mut builder = StringBuilder::with_capacity(rows, rows * 16);
        let mut out = String::new();
        for row in 0..rows {
            let separator = match separators {
                Some(separators) if separators.is_null(row) => {
                    builder.append_null();
                    continue;
                }
                Some(separators) => separators.value(row),
                None => "",
            };
            out.clear();
            let mut is_first = true;
            for column in columns.iter().filter(|column| column.is_valid(row)) {
                out.push_str(if is_first { "" } else { separator });
                out.push_str(column.value(row));
                is_first = false;
            }
            builder.append_value(&out);
        }
        answer(&args.args, Arc::new(builder.finish()))
    }
}
