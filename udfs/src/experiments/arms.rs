//! The arms of an experiment with the moments of what was measured in each.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StringViewBuilder, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::definition::AggregateDefinition;
use crate::groups::{GroupStates, Rows, list_offsets, tree_bytes};

const ARMS_MAX: usize = 100;
/// What the name of an arm takes, roughly.
const ARM_BYTES: usize = 16;
const MOMENTS: [&str; 6] = ["n", "mean_y", "squares_y", "mean_x", "squares_x", "products"];

/// Text, whole numbers and booleans are names of arms.
pub(crate) fn coerce_arm(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Dictionary(_, value) => coerce_arm(function, value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => {
            Ok(DataType::Utf8)
        }
        number if number.is_integer() => Ok(DataType::Utf8),
        other => plan_err!("{function}: arm must be text, a whole number or a boolean, got {other}"),
    }
}

/// Refuses one more arm than an experiment has: most likely the argument is no arm at all.
pub(crate) fn arm_fits(function: &str, arms: usize) -> Result<()> {
    if arms < ARMS_MAX {
        return Ok(());
    }
    exec_err!("{function}: arm has more than {ARMS_MAX} different values in a group")
}

/// Count, means and centred sums of y and of a covariate x.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub n: f64,
    pub mean_y: f64,
    /// Sum of (y - mean)^2.
    pub squares_y: f64,
    pub mean_x: f64,
    pub squares_x: f64,
    /// Sum of (x - mean) (y - mean).
    pub products: f64,
}

impl Moments {
    fn one(y: f64, x: f64) -> Self {
        Self { n: 1.0, mean_y: y, mean_x: x, ..Self::default() }
    }

    /// Source: T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979.
    pub fn merge(&mut self, other: Self) {
        if self.n == 0.0 {
            *self = other;
            return;
        }
        if other.n == 0.0 {
            return;
        }
        let n = self.n + other.n;
        let (y, x) = (other.mean_y - self.mean_y, other.mean_x - self.mean_x);
        let weight = self.n * other.n / n;
        self.squares_y += other.squares_y + weight * y * y;
        self.squares_x += other.squares_x + weight * x * x;
        self.products += other.products + weight * x * y;
        self.mean_y += y * other.n / n;
        self.mean_x += x * other.n / n;
        self.n = n;
    }

    /// Sample variance of y, None below two values.
    pub fn variance_y(&self) -> Option<f64> {
        (self.n > 1.0).then(|| self.squares_y / (self.n - 1.0))
    }
}

pub(crate) type Arms = BTreeMap<String, Moments>;

/// What is asked of the arms: an aggregate of measures, the arm and constants.
pub(crate) trait Test: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    /// 0 to 2: none, y, or y and x.
    const MEASURES: usize;

    fn documentation() -> &'static Documentation;
    /// As in `AggregateDefinition`.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// The fields of the struct that an answer is.
    fn fields() -> Fields;
    /// Reads the constant arguments.
    fn of(args: &AccumulatorArgs) -> Result<Self>;
    /// The answers, one row a group.
    fn answers(&self, groups: &[Arms]) -> Result<ArrayRef>;
}

/// The aggregate of the test T.
pub(super) struct Tested<T>(PhantomData<T>);

impl<T: Test> AggregateDefinition for Tested<T> {
    const NAME: &'static str = T::NAME;
    type States = States<T>;

    fn documentation() -> &'static Documentation {
        T::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        T::coerce(types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(T::fields()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("arms", DataType::List(arm_field()))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(States::new(T::of(args)?))
    }
}

fn arm_fields() -> Fields {
    let moments = MOMENTS.map(|name| Field::new(name, DataType::Float64, false));
    std::iter::once(Field::new("arm", DataType::Utf8View, false)).chain(moments).collect()
}

fn arm_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(arm_fields()), false))
}

/// The arms of each group.
#[derive(Debug)]
pub(crate) struct States<T> {
    test: T,
    groups: Vec<Arms>,
    /// Bytes of the arms of all groups.
    held: usize,
}

impl<T: Test> States<T> {
    fn new(test: T) -> Self {
        Self { test, groups: Vec::new(), held: 0 }
    }

    fn add(&mut self, group: usize, arm: &str, moments: Moments) -> Result<()> {
        let arms = &mut self.groups[group];
        match arms.get_mut(arm) {
            Some(known) => known.merge(moments),
            None => {
                arm_fits(T::NAME, arms.len())?;
                arms.insert(arm.to_owned(), moments);
                self.held += arms_bytes(arms.len()) - arms_bytes(arms.len() - 1);
            }
        }
        Ok(())
    }
}

impl<T: Test> GroupStates for States<T> {
    fn fresh(&self) -> Self {
        Self::new(self.test.clone())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Arms::new);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (Some(measures), Some(arms)) = (columns.get(..T::MEASURES), columns.get(T::MEASURES)) else {
            return exec_err!("{}: arm is missing", T::NAME);
        };
        let arms = arms.as_string::<i32>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if !rows.passes(row) || arms.is_null(row) {
                continue;
            }
            let number = |measure: usize| match measures.get(measure) {
                Some(column) => number_at(column, row),
                None => Some(0.0),
            };
            if let (Some(y), Some(x)) = (number(0), number(1)) {
                self.add(group, arms.value(row), Moments::one(y, x))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(T::NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let arms = each.column(0).as_string_view();
        let moments: [&Float64Array; MOMENTS.len()] =
            std::array::from_fn(|moment| each.column(moment + 1).as_primitive::<Float64Type>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                let [n, mean_y, squares_y, mean_x, squares_x, products] = moments.map(|moment| moment.value(index));
                self.add(group, arms.value(index), Moments { n, mean_y, squares_y, mean_x, squares_x, products })?;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let taken = std::mem::replace(&mut self.groups, rest);
        let held = taken.iter().map(|arms| arms_bytes(arms.len())).sum();
        self.held -= held;
        Ok(Self { test: self.test.clone(), groups: taken, held })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let arms = || self.groups.iter().flat_map(|arms| arms.iter());
        let mut names = StringViewBuilder::new().with_deduplicate_strings();
        for (name, _) in arms() {
            names.append_value(name);
        }
        let column = |moment: fn(&Moments) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(arms().map(|(_, moments)| moment(moments))))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(names.finish()),
            column(|moments| moments.n),
            column(|moments| moments.mean_y),
            column(|moments| moments.squares_y),
            column(|moments| moments.mean_x),
            column(|moments| moments.squares_x),
            column(|moments| moments.products),
        ];
        let offsets = list_offsets(T::NAME, self.groups.iter().map(Arms::len))?;
        let structs = StructArray::try_new(arm_fields(), columns, None)?;
        Ok(vec![Arc::new(ListArray::try_new(arm_field(), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.test.answers(&self.groups)
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Arms>() + self.held
    }
}

fn arms_bytes(arms: usize) -> usize {
    tree_bytes::<String, Moments>(arms) + arms * ARM_BYTES
}

/// The number of a row, 1 for true; None for NULL and what is not finite.
fn number_at(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Boolean => Some(f64::from(u8::from(column.as_boolean().value(row)))),
        _ => Some(column.as_primitive::<Float64Type>().value(row)).filter(|number| number.is_finite()),
    }
}
