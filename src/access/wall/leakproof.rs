//! Which predicates of a caller may run on hidden rows: those that can fail on no value and call nothing.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, Like, Operator};

/// Longer patterns may be refused by the matcher, and a refusal is an error.
const PATTERN_BYTES_MAX: usize = 256;

/// Judges the predicates on one table.
pub struct LeakProof<'a> {
    pub schema: &'a DFSchema,
    /// Whether a column holds what the caller sees under its name: no mask lies over it.
    pub plain: &'a dyn Fn(&str) -> bool,
}

impl LeakProof<'_> {
    /// Whether `expr` is a condition that gives a value for every possible row. What is not known to be, is not.
    pub fn accepts(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Column(column) => (self.plain)(&column.name) && self.simple(expr),
            Expr::Literal(value, _) => value.is_null() || is_simple(&value.data_type()),
            Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
                self.accepts(&binary.left) && self.accepts(&binary.right)
            }
            Expr::BinaryExpr(binary) => is_comparison(binary.op) && self.comparable(&[&binary.left, &binary.right]),
            Expr::Not(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsNotUnknown(inner) => self.accepts(inner),
            Expr::Between(between) => self.comparable(&[&between.expr, &between.low, &between.high]),
            Expr::InList(list) => {
                let literals = list.list.iter().all(|value| matches!(value, Expr::Literal(..)));
                let operands: Vec<&Expr> = std::iter::once(list.expr.as_ref()).chain(&list.list).collect();
                literals && self.comparable(&operands)
            }
            Expr::Like(like) => self.accepts_like(like),
            Expr::Cast(cast) => {
                let from = cast.expr.get_type(self.schema);
                self.accepts(&cast.expr) && from.is_ok_and(|from| is_widening(&from, cast.field.data_type()))
            }
            // A time that no calendar has fails even here: there are more microseconds than days.
            Expr::TryCast(cast) => {
                let is_timeless = cast.expr.get_type(self.schema).is_ok_and(|from| !family(&from).is_temporal());
                is_timeless && self.accepts(&cast.expr) && is_simple(cast.field.data_type())
            }
            _ => false,
        }
    }

    fn accepts_like(&self, like: &Like) -> bool {
        let pattern = match like.pattern.as_ref() {
            Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text), _) => {
                text
            }
            _ => return false,
        };
        let short = pattern.as_ref().is_none_or(|pattern| pattern.len() <= PATTERN_BYTES_MAX);
        short && like.escape_char.is_none() && self.comparable(&[&like.expr, &like.pattern])
    }

    /// Operands of one family: comparing others would put a cast between them.
    fn comparable(&self, operands: &[&Expr]) -> bool {
        let mut families = operands.iter().filter_map(|operand| match operand.get_type(self.schema) {
            Ok(DataType::Null) => None,
            other => Some(other.ok().map(|of| family(&of))),
        });
        let first = families.next();
        let same = families.all(|family| family.is_some() && Some(family) == first);
        same && first != Some(None) && operands.iter().all(|operand| self.accepts(operand))
    }

    fn simple(&self, expr: &Expr) -> bool {
        expr.get_type(self.schema).is_ok_and(|of| is_simple(&of))
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Types whose values compare without failing.
pub fn is_simple(of: &DataType) -> bool {
    use DataType::{Binary, BinaryView, Boolean, Date32, Date64, LargeBinary, Null, Time32, Time64, Timestamp};
    match of {
        DataType::Dictionary(_, values) => is_simple(values),
        Boolean | Null | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => true,
        Binary | LargeBinary | BinaryView => true,
        other => other.is_numeric() || is_text(other),
    }
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Types that are compared with each other as they are.
fn family(of: &DataType) -> DataType {
    match of {
        DataType::Dictionary(_, values) => family(values),
        text if is_text(text) => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// Casts that no value can fail.
fn is_widening(from: &DataType, to: &DataType) -> bool {
    use DataType::{Decimal128, Float32, Float64};
    match (from, to) {
        (from, to) if is_simple(from) && family(from) == family(to) => true,
        (from, Float64) if from.is_numeric() => true,
        (from, Float32) if from.is_integer() => true,
        (Decimal128(p, s), Decimal128(wide_p, wide_s)) => {
            wide_s >= s && i16::from(*wide_p) - i16::from(*wide_s) >= i16::from(*p) - i16::from(*s)
        }
        (from, Decimal128(p, s)) => {
            integer_digits(from).is_some_and(|digits| *s >= 0 && i16::from(*p) - i16::from(*s) >= digits)
        }
        (from, to) => match (integer_range(from), integer_range(to)) {
            (Some((low, high)), Some((wide_low, wide_high))) => wide_low <= low && high <= wide_high,
            _ => false,
        },
    }
}

fn integer_range(of: &DataType) -> Option<(i128, i128)> {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    Some(match of {
        Int8 => (i8::MIN.into(), i8::MAX.into()),
        Int16 => (i16::MIN.into(), i16::MAX.into()),
        Int32 => (i32::MIN.into(), i32::MAX.into()),
        Int64 => (i64::MIN.into(), i64::MAX.into()),
        UInt8 => (0, u8::MAX.into()),
        UInt16 => (0, u16::MAX.into()),
        UInt32 => (0, u32::MAX.into()),
        UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

fn integer_digits(of: &DataType) -> Option<i16> {
    let (low, high) = integer_range(of)?;
    i16::try_from(low.unsigned_abs().max(high.unsigned_abs()).to_string().len()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use datafusion::prelude::SessionContext;

    use super::*;

    fn accepts(sql: &str) -> bool {
        let fields = vec![
            Field::new("x", DataType::Int64, true),
            Field::new("small", DataType::Int16, true),
            Field::new("s", DataType::Utf8View, true),
            Field::new("m", DataType::Utf8, true),
            Field::new("d", DataType::Decimal128(18, 2), true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("list", DataType::new_list(DataType::Int64, true), true),
        ];
        let schema = DFSchema::try_from(Schema::new(fields)).unwrap();
        let expr = SessionContext::new().parse_sql_expr(sql, &schema).unwrap_or_else(|error| panic!("{sql}: {error}"));
        LeakProof { schema: &schema, plain: &|column| column != "m" }.accepts(&expr)
    }

    #[test]
    fn comparisons_of_plain_columns_are_harmless() {
        for sql in [
            "x = 1",
            "x > 1 AND s = 'a' OR NOT x IS NULL",
            "s LIKE 'a%'",
            "x IN (1, 2, NULL)",
            "x BETWEEN 1 AND 2",
            "x IS DISTINCT FROM NULL",
            "CAST(small AS bigint) = x",
            "CAST(x AS double) > 1.5",
            "TRY_CAST(s AS bigint) = 1",
            "CAST(d AS decimal(20, 4)) IS NULL",
        ] {
            assert!(accepts(sql), "{sql}");
        }
    }

    #[test]
    fn whatever_can_fail_or_call_is_kept_above() {
        for sql in [
            "1 / (x - 5) > 0",
            "x + 1 = 2",
            "-x = 1",
            "CAST(s AS bigint) = 1",
            "CAST(x AS smallint) = 1",
            "CAST(d AS decimal(10, 2)) IS NULL",
            "s ~ 'a'",
            "s LIKE s",
            "upper(s) = 'A'",
            "CASE WHEN x = 1 THEN true END",
            "x IN (1, 2 + x)",
            "s = x",
            "TRY_CAST(at AS date) IS NULL",
            "TRY_CAST(at AS text) = 'a'",
            "list IS NULL",
        ] {
            assert!(!accepts(sql), "{sql}");
        }
    }

    #[test]
    fn masked_columns_are_kept_above() {
        assert!(!accepts("m = 'a'"));
        assert!(!accepts("m IS NULL OR x = 1"));
    }
}
