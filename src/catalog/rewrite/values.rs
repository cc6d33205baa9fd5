//! VALUES: a literal takes the type that another row gives its column, and a whole number without one is an INTEGER.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Query, SetExpr, UnaryOperator, Value};

use super::build::{cast, inner};
use super::casts::type_literals;

pub fn rewrite(query: &mut Query) {
    let SetExpr::Values(values) = query.body.as_mut() else { return };
    let columns = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..columns {
        let entries = || values.rows.iter().filter_map(|row| row.content.get(column));
        let named = entries().find_map(named_type).cloned();
        let are_whole = entries().all(|entry| matches!(Literal::of(entry), Some(Literal::Whole | Literal::Null)));
        for entry in values.rows.iter_mut().filter_map(|row| row.content.get_mut(column)) {
            match (&named, Literal::of(entry)) {
                (Some(named), Some(literal)) if literal.may_be(named) => *entry = cast(entry.clone(), named.clone()),
                (None, Some(Literal::Whole)) if are_whole => type_literals(entry, &DataType::Integer(None)),
                _ => {}
            }
        }
    }
}

/// The type that an entry names.
fn named_type(entry: &Expr) -> Option<&DataType> {
    match inner(entry) {
        Expr::Cast { data_type, .. } => Some(data_type),
        Expr::TypedString(typed) => Some(&typed.data_type),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literal {
    Text,
    Whole,
    Fraction,
    Null,
}

impl Literal {
    fn of(entry: &Expr) -> Option<Self> {
        match inner(entry) {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                Self::of(expr).filter(|literal| matches!(literal, Self::Whole | Self::Fraction))
            }
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(_) => Some(Self::Text),
                Value::Number(digits, _) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::Whole),
                Value::Number(..) => Some(Self::Fraction),
                Value::Null => Some(Self::Null),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the literal is one of the type, and loses nothing as one.
    fn may_be(self, named: &DataType) -> bool {
        let is_float = matches!(
            named,
            DataType::DoublePrecision | DataType::Double(_) | DataType::Float(_) | DataType::Float8 | DataType::Real
        );
        match self {
            Self::Text | Self::Null => true,
            Self::Whole | Self::Fraction => is_float,
        }
    }
}
