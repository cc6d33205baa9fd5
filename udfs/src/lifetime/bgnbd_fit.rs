//! `bgnbd_fit`: the BG/NBD parameters of a customer base.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, PrimitiveArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility};

use super::bgnbd::{Customers, Fit, fit};
use crate::documents::{Entry, LIFETIME};
use crate::doubles::coerce_doubles;
use crate::groups::{GroupStates, Grouped, Rows, Single, list_offsets};

const NAME: &str = "bgnbd_fit";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Maximum-likelihood parameters of the BG/NBD model of repeat purchases. \
            Gives struct{r DOUBLE, alpha DOUBLE, a DOUBLE, b DOUBLE, loglik DOUBLE, n BIGINT, converged BOOLEAN}: alpha in the unit of t; n the customers used \
            (sum of weights); converged false where the data do not determine the parameters, which are then not to be used. \
            A row with a NULL, with x not a whole number from 0, without 0 <= t_x <= t, with t_x above 0 at x = 0, or with a weight not above 0 is left out. \
            NULL without a customer. The state grows by about 64 bytes a distinct (x, t_x, t). \
            Source: P. Fader, B. Hardie, K. Lee, Counting Your Customers the Easy Way, Marketing Science 24(2), 2005.",
        syntax: "bgnbd_fit(x bigint, t_x double precision, t double precision [, weight double precision]) -> json",
        arguments: &[
            ("x", "Repeat purchases: frequency of rfm_summary."),
            ("t_x", "Time from the first to the last purchase, in the unit of t: recency of rfm_summary."),
            ("t", "Time from the first purchase to the end of observation: t of rfm_summary."),
            ("weight", "Number of customers the row stands for. Default 1."),
        ],
        example: "SELECT bgnbd_fit(s['frequency'], s['recency'], s['t']) AS params\nFROM (SELECT one_id, rfm_summary(paid_at, amount, DATE '1997-09-30', 'week') AS s FROM orders GROUP BY one_id)",
        related: &["rfm_summary", "bgnbd_palive"],
    }
    .build()
});

/// The aggregate `bgnbd_fit(x, t_x, t [, weight])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BgnbdFit {
    signature: Signature,
}

impl Default for BgnbdFit {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for BgnbdFit {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !matches!(types.len(), 3 | 4) {
            return plan_err!("{NAME}: 3 or 4 arguments are needed, got {}", types.len());
        }
        coerce_doubles(NAME, &["x", "t_x", "t", "weight"], types)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn state_fields(&self, _args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("customers", DataType::List(customers_field()), true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single::new(States::default())))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Grouped(States::default())))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn fields() -> Fields {
    let mut fields: Vec<Field> =
        ["r", "alpha", "a", "b", "loglik"].map(|name| Field::new(name, DataType::Float64, true)).into();
    fields.push(Field::new("n", DataType::Int64, true));
    fields.push(Field::new("converged", DataType::Boolean, true));
    Fields::from(fields)
}

fn customer_fields() -> Fields {
    Fields::from(["x", "t_x", "t", "weight"].map(|name| Field::new(name, DataType::Float64, false)).to_vec())
}

fn customers_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(customer_fields()), false))
}

/// Weight by (x, t_x, t), the doubles as their bits.
type Weights = HashMap<[u64; 3], f64>;

#[derive(Debug, Default)]
struct States {
    groups: Vec<Weights>,
    distinct: usize,
}

impl States {
    fn add(&mut self, group: usize, customers: Customers) {
        let Customers { x, t_x, t, weight } = customers;
        // Adding 0 turns -0 into 0, so that both are one key.
        let key = [x, t_x, t].map(|number| (number + 0.0).to_bits());
        let known = self.groups[group].len();
        *self.groups[group].entry(key).or_insert(0.0) += weight;
        self.distinct += self.groups[group].len() - known;
    }

    fn add_columns(&mut self, columns: &[&Float64Array], row: usize, group: usize) {
        let number = |column: usize| columns.get(column).map_or(1.0, |column| column.value(row));
        let customers = Customers { x: number(0), t_x: number(1), t: number(2), weight: number(3) };
        if columns.iter().all(|column| column.is_valid(row)) && customers.is_valid() {
            self.add(group, customers);
        }
    }
}

/// In a fixed order, so that the fit does not depend on how rows were spread.
fn in_order(weights: &Weights) -> Vec<Customers> {
    let number = f64::from_bits;
    let mut customers: Vec<Customers> = weights
        .iter()
        .map(|([x, t_x, t], weight)| Customers { x: number(*x), t_x: number(*t_x), t: number(*t), weight: *weight })
        .collect();
    customers
        .sort_by(|one, two| one.x.total_cmp(&two.x).then(one.t_x.total_cmp(&two.t_x)).then(one.t.total_cmp(&two.t)));
    customers
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Weights::new);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let columns: Vec<&Float64Array> = columns.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) {
                self.add_columns(&columns, row, group);
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let columns: Vec<&Float64Array> =
            lists.values().as_struct().columns().iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_valid(row) {
                for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                    self.add_columns(&columns, index, group);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let taken = std::mem::replace(&mut self.groups, rest);
        let distinct = taken.iter().map(HashMap::len).sum();
        self.distinct -= distinct;
        Ok(Self { groups: taken, distinct })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let customers: Vec<Customers> = self.groups.iter().flat_map(in_order).collect();
        let column = |number: fn(&Customers) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(customers.iter().map(number)))
        };
        let columns =
            vec![column(|each| each.x), column(|each| each.t_x), column(|each| each.t), column(|each| each.weight)];
        let lengths = list_offsets(NAME, self.groups.iter().map(HashMap::len))?;
        let structs = StructArray::try_new(customer_fields(), columns, None)?;
        Ok(vec![Arc::new(ListArray::try_new(customers_field(), lengths, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let fits: Vec<Option<(Fit, i64)>> = self
            .groups
            .iter()
            .map(|weights| {
                let customers = in_order(weights);
                let n = customers.iter().map(|each| each.weight).sum::<f64>().round() as i64;
                fit(&customers).map(|fit| (fit, n))
            })
            .collect();
        let column = |number: fn(&Fit) -> f64| -> ArrayRef {
            Arc::new(
                fits.iter()
                    .map(|fit| fit.as_ref().map(|(fit, _)| number(fit)))
                    .collect::<PrimitiveArray<Float64Type>>(),
            )
        };
        let columns: Vec<ArrayRef> = vec![
            column(|fit| fit.params.r),
            column(|fit| fit.params.alpha),
            column(|fit| fit.params.a),
            column(|fit| fit.params.b),
            column(|fit| fit.loglik),
            Arc::new(fits.iter().map(|fit| fit.as_ref().map(|(_, n)| *n)).collect::<Int64Array>()),
            Arc::new(fits.iter().map(|fit| fit.as_ref().map(|(fit, _)| fit.converged)).collect::<BooleanArray>()),
        ];
        let found: NullBuffer = fits.iter().map(Option::is_some).collect();
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(found))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Weights>() + self.distinct * 2 * size_of::<([u64; 3], f64)>()
    }
}
