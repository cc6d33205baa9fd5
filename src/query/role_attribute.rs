//! `role_attribute(name)`: what an administrator pinned to the caller by `ALTER ROLE ... SET henna.name = 'value'`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::access::{PrincipalHandle, SecurityHandle};

/// Text in, text out; null where nothing is pinned.
#[derive(Debug)]
pub struct RoleAttribute {
    security: SecurityHandle,
    principal: PrincipalHandle,
    signature: Signature,
}

impl RoleAttribute {
    pub fn new(security: SecurityHandle, principal: PrincipalHandle) -> Self {
        Self { security, principal, signature: Signature::string(1, Volatility::Stable) }
    }
}

/// Each session has one of its own.
impl PartialEq for RoleAttribute {
    fn eq(&self, other: &Self) -> bool {
        self.security.is(&other.security) && self.principal.get() == other.principal.get()
    }
}

impl Eq for RoleAttribute {}

impl Hash for RoleAttribute {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.principal.get().hash(state);
    }
}

impl ScalarUDFImpl for RoleAttribute {
    fn name(&self) -> &str {
        "role_attribute"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let names = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(names) = names.first() else {
            return datafusion::common::exec_err!("role_attribute: takes a name");
        };
        let names = cast(names, &DataType::Utf8)?;
        let (security, principal) = (self.security.snapshot(), self.principal.get());
        let value = |name: Option<&str>| name.and_then(|name| principal.attribute(&security, name)).map(str::to_owned);
        let values: StringArray = as_string_array(&names)?.iter().map(value).collect();
        Ok(ColumnarValue::Array(Arc::new(values) as ArrayRef))
    }
}
