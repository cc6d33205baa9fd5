//! What differs between one function and another: a definition. The rest of DataFusion's traits is the same for all.

use std::fmt::{self, Debug, Formatter};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Documentation, GroupsAccumulator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::groups::{GroupStates, Grouped, Single};

/// An aggregate whose answer does not depend on the order of rows.
pub(crate) trait AggregateDefinition: Send + Sync + 'static {
    const NAME: &'static str;
    type States: GroupStates;

    fn documentation() -> &'static Documentation;
    /// The types that arguments of these types are read in; refuses wrong ones.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// The type of the result, given coerced arguments.
    fn result(types: &[DataType]) -> Result<DataType>;
    /// Names and types of the partial states, given coerced arguments.
    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>>;
    /// States without a group; reads the constant arguments.
    fn states(args: &AccumulatorArgs) -> Result<Self::States>;
}

pub(crate) fn aggregate<D: AggregateDefinition>() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Defined::<D>::new()))
}

impl<D: AggregateDefinition> AggregateUDFImpl for Defined<D> {
    fn name(&self) -> &str {
        D::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        D::coerce(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        D::result(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        let partials = D::partials(&types)?.into_iter();
        Ok(partials.map(|(name, data_type)| Arc::new(Field::new(name, data_type, true))).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single::new(D::states(&args)?)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Grouped(D::states(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(D::documentation())
    }
}

/// A function of one row.
pub(crate) trait ScalarDefinition: Send + Sync + 'static {
    const NAME: &'static str;

    fn documentation() -> &'static Documentation;
    /// The types that arguments of these types are read in; refuses wrong ones.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// The type of the result, given coerced arguments.
    fn result(types: &[DataType]) -> Result<DataType>;
    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue>;
}

pub(crate) fn scalar<D: ScalarDefinition>() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Defined::<D>::new()))
}

impl<D: ScalarDefinition> ScalarUDFImpl for Defined<D> {
    fn name(&self) -> &str {
        D::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        D::coerce(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        D::result(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        D::invoke(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(D::documentation())
    }
}

/// A definition as DataFusion holds it: two are equal when they are of one type.
struct Defined<D> {
    signature: Signature,
    definition: PhantomData<fn() -> D>,
}

impl<D> Defined<D> {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable), definition: PhantomData }
    }
}

impl<D> Debug for Defined<D> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::any::type_name::<D>())
    }
}

impl<D> PartialEq for Defined<D> {
    fn eq(&self, other: &Self) -> bool {
        self.signature == other.signature
    }
}

impl<D> Eq for Defined<D> {}

impl<D> Hash for Defined<D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::any::type_name::<D>().hash(state);
    }
}

/// Refuses a call with fewer or more arguments.
pub(crate) fn expect_arguments(function: &str, types: &[DataType], least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&types.len()) {
        return Ok(());
    }
    let needed = match most - least {
        0 => least.to_string(),
        1 => format!("{least} or {most}"),
        _ => format!("{least} to {most}"),
    };
    plan_err!("{function}: {needed} arguments are needed, got {}", types.len())
}
