//! The value of a sub-query that cannot be made a join: an error, but only where a row needs it.

use arrow::array::new_empty_array;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, Reason};

pub fn unanswered(data_type: DataType) -> Expr {
    let signature = Signature::exact(Vec::new(), Volatility::Volatile);
    ScalarUDF::new_from_impl(Unanswered { data_type, signature }).call(Vec::new())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Unanswered {
    data_type: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Unanswered {
    fn name(&self) -> &str {
        "unanswered_subquery"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.number_rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(&self.data_type)));
        }
        let message = "a sub-query of this form cannot take values from the query around it";
        Err(DataFusionError::External(Box::new(Error::new(Reason::Unsupported, message))))
    }
}
