//! Maximum-likelihood fits as aggregates: customers alike are counted once, and the model is fitted when the group is complete.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, PrimitiveArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{HashMap, Result};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::minimise::{Minimum, minimise};
use crate::definition::{AggregateDefinition, expect_arguments};
use crate::doubles::coerce_doubles;
use crate::groups::{GroupStates, Rows, list_offsets};

/// `weight` customers with the same K numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Alike<const K: usize> {
    pub inputs: [f64; K],
    pub weight: f64,
}

/// Parameters of largest likelihood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit<const N: usize> {
    pub params: [f64; N],
    pub loglik: f64,
    pub converged: bool,
}

/// A model with N positive parameters, fitted to K numbers a customer.
pub(super) trait Model<const K: usize, const N: usize>:
    Debug + Default + PartialEq + Eq + Hash + Send + Sync + 'static
{
    const NAME: &'static str;
    const INPUTS: [&'static str; K];
    const PARAMS: [&'static str; N];

    fn documentation() -> &'static Documentation;
    /// False for numbers that no customer can have; such rows are left out.
    fn is_possible(inputs: [f64; K]) -> bool;
    /// Customers are sorted by their numbers. None without customers or where no finite fit exists.
    fn fit(customers: &[Alike<K>]) -> Option<Fit<N>>;
}

/// The number of customers, None where there is none.
pub(super) fn weight<const K: usize>(customers: &[Alike<K>]) -> Option<f64> {
    Some(customers.iter().map(|each| each.weight).sum()).filter(|weight: &f64| *weight > 0.0 && weight.is_finite())
}

/// The mean of one of the numbers where it is positive and finite, else 1: what a model measures it in, so that its parameters are of the order of 1.
pub(super) fn unit<const K: usize>(customers: &[Alike<K>], input: usize) -> f64 {
    let weight: f64 = customers.iter().map(|each| each.weight).sum();
    let mean = customers.iter().map(|each| each.weight * each.inputs[input]).sum::<f64>() / weight;
    if mean > 0.0 && mean.is_finite() { mean } else { 1.0 }
}

/// The customers with some of their numbers measured in `unit`.
pub(super) fn in_units<const K: usize>(customers: &[Alike<K>], unit: f64, inputs: &[usize]) -> Vec<Alike<K>> {
    let mut scaled = customers.to_vec();
    for each in &mut scaled {
        for input in inputs {
            each.inputs[*input] /= unit;
        }
    }
    scaled
}

/// Searches from each start (logarithms of the parameters) until one search converges. `ln_likelihood` gives the value and its
/// gradient by the parameters themselves.
pub(super) fn most_likely<const N: usize>(
    starts: &[[f64; N]],
    weight: f64,
    ln_likelihood: impl Fn([f64; N]) -> (f64, [f64; N]),
) -> Option<Minimum<N>> {
    let mean_loss = |logs: &[f64; N]| {
        let params = logs.map(f64::exp);
        let (value, gradient) = ln_likelihood(params);
        (-value / weight, std::array::from_fn(|index| -gradient[index] * params[index] / weight))
    };
    let mut best: Option<Minimum<N>> = None;
    for start in starts {
        let found = minimise(*start, mean_loss);
        let is_better = best.is_none_or(|best| (found.converged, -found.value) > (best.converged, -best.value));
        if found.value.is_finite() && is_better {
            best = Some(found);
        }
        if found.converged {
            break;
        }
    }
    best
}

/// The aggregate that fits the model M.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Fitted<M, const K: usize, const N: usize>(PhantomData<M>);

impl<M: Model<K, N>, const K: usize, const N: usize> AggregateDefinition for Fitted<M, K, N> {
    const NAME: &'static str = M::NAME;
    type States = States<M, K, N>;

    fn documentation() -> &'static Documentation {
        M::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(M::NAME, types, K, K + 1)?;
        let arguments: Vec<&str> = M::INPUTS.into_iter().chain(["weight"]).collect();
        coerce_doubles(M::NAME, &arguments, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fit_fields(&M::PARAMS)))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("customers", DataType::List(alike_field(&M::INPUTS)))])
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(States::empty())
    }
}

fn fit_fields(params: &[&str]) -> Fields {
    let doubles = params.iter().chain(&["loglik"]).map(|name| Field::new(*name, DataType::Float64, true));
    let others = [Field::new("n", DataType::Int64, true), Field::new("converged", DataType::Boolean, true)];
    doubles.chain(others).collect()
}

fn alike_fields(inputs: &[&str]) -> Fields {
    inputs.iter().chain(&["weight"]).map(|name| Field::new(*name, DataType::Float64, false)).collect()
}

fn alike_field(inputs: &[&str]) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(alike_fields(inputs)), false))
}

/// Weight by the customer's numbers, as their bits.
type Weights<const K: usize> = HashMap<[u64; K], f64>;

/// Weights of each group.
#[derive(Debug)]
pub(super) struct States<M, const K: usize, const N: usize> {
    groups: Vec<Weights<K>>,
    /// Bytes of all weights.
    held: usize,
    model: PhantomData<M>,
}

impl<M: Model<K, N>, const K: usize, const N: usize> States<M, K, N> {
    fn empty() -> Self {
        Self { groups: Vec::new(), held: 0, model: PhantomData }
    }

    fn add_columns(&mut self, columns: &[&Float64Array], row: usize, group: usize) {
        if !columns.iter().all(|column| column.is_valid(row)) {
            return;
        }
        let number = |column: usize| columns.get(column).map_or(1.0, |column| column.value(row));
        let (inputs, weight): ([f64; K], f64) = (std::array::from_fn(number), number(K));
        if M::is_possible(inputs) && weight > 0.0 && weight.is_finite() {
            // Adding 0 turns -0 into 0, so that both are one key.
            let key = inputs.map(|input| (input + 0.0).to_bits());
            let weights = &mut self.groups[group];
            let held = weights.allocation_size();
            *weights.entry(key).or_insert(0.0) += weight;
            self.held += weights.allocation_size() - held;
        }
    }
}

/// In a fixed order, so that the fit does not depend on how rows were spread.
fn in_order<const K: usize>(weights: &Weights<K>) -> Vec<Alike<K>> {
    let mut customers: Vec<Alike<K>> =
        weights.iter().map(|(key, weight)| Alike { inputs: key.map(f64::from_bits), weight: *weight }).collect();
    // Possible numbers are not negative, and such doubles sort as their bits do.
    customers.sort_unstable_by_key(|each| each.inputs.map(f64::to_bits));
    customers
}

impl<M: Model<K, N>, const K: usize, const N: usize> GroupStates for States<M, K, N> {
    fn fresh(&self) -> Self {
        Self::empty()
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
        let [lists] = take_function_args(M::NAME, partials)?;
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
        let held = taken.iter().map(HashMap::allocation_size).sum();
        self.held -= held;
        Ok(Self { groups: taken, held, model: PhantomData })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let customers: Vec<Alike<K>> = self.groups.iter().flat_map(in_order).collect();
        let inputs = (0..K).map(|input| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(customers.iter().map(|each| each.inputs[input])))
        });
        let weights: ArrayRef = Arc::new(Float64Array::from_iter_values(customers.iter().map(|each| each.weight)));
        let columns = inputs.chain([weights]).collect();
        let lengths = list_offsets(M::NAME, self.groups.iter().map(HashMap::len))?;
        let structs = StructArray::try_new(alike_fields(&M::INPUTS), columns, None)?;
        Ok(vec![Arc::new(ListArray::try_new(alike_field(&M::INPUTS), lengths, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let fits: Vec<Option<(Fit<N>, i64)>> = self
            .groups
            .iter()
            .map(|weights| {
                let customers = in_order(weights);
                let n = weight(&customers)?.round() as i64;
                M::fit(&customers).map(|fit| (fit, n))
            })
            .collect();
        let column = |number: &dyn Fn(&Fit<N>) -> f64| -> ArrayRef {
            let numbers = fits.iter().map(|fit| fit.as_ref().map(|(fit, _)| number(fit)));
            Arc::new(numbers.collect::<PrimitiveArray<Float64Type>>())
        };
        let mut columns: Vec<ArrayRef> = (0..N).map(|param| column(&|fit| fit.params[param])).collect();
        columns.push(column(&|fit| fit.loglik));
        columns.push(Arc::new(fits.iter().map(|fit| fit.as_ref().map(|(_, n)| *n)).collect::<Int64Array>()));
        let converged = fits.iter().map(|fit| fit.as_ref().map(|(fit, _)| fit.converged));
        columns.push(Arc::new(converged.collect::<BooleanArray>()));
        let found: NullBuffer = fits.iter().map(Option::is_some).collect();
        Ok(Arc::new(StructArray::try_new(fit_fields(&M::PARAMS), columns, Some(found))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Weights<K>>() + self.held
    }
}
