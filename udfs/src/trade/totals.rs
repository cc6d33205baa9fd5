//! Sums of amounts by group.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_datafusion_err};

use crate::amounts::sum_type;
use crate::sums::{Sum, amount_at, sum_array};

#[derive(Debug)]
pub(super) struct Totals {
    function: &'static str,
    /// Type of the sums.
    total: DataType,
    /// None before the first amount.
    groups: Vec<Option<Sum>>,
}

impl Totals {
    /// Of amounts of the type `amount`; `function` names the SQL function in errors.
    pub fn new(function: &'static str, amount: &DataType) -> Self {
        Self { function, total: sum_type(amount), groups: Vec::new() }
    }

    pub fn fresh(&self) -> Self {
        Self::new(self.function, &self.total)
    }

    pub fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, None);
        }
    }

    /// Adds the amount of a row; false where it has none.
    #[inline]
    pub fn add(&mut self, group: usize, amounts: &dyn Array, row: usize) -> Result<bool> {
        let Some(amount) = amount_at(amounts, row) else { return Ok(false) };
        let total = self.groups[group].unwrap_or(Sum::zero(&self.total)).plus(amount);
        let total =
            total.ok_or_else(|| exec_datafusion_err!("{}: the sum of amount is out of range", self.function))?;
        self.groups[group] = Some(total);
        Ok(true)
    }

    pub fn take(&mut self, groups: usize) -> Self {
        let rest = self.groups.split_off(groups);
        Self { groups: std::mem::replace(&mut self.groups, rest), ..self.fresh() }
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<Sum>> {
        self.groups.iter().copied()
    }

    /// The type of the sums.
    pub fn data_type(&self) -> &DataType {
        &self.total
    }

    pub fn array(&self) -> ArrayRef {
        sum_array(self.iter(), &self.total)
    }

    pub fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Option<Sum>>()
    }
}
