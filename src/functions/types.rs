//! The types that a cast may name, with what Arrow cannot say of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast;

use crate::dataset::contract::TYPE_KEY;

#[derive(Debug)]
pub struct PostgresTypes;

impl TypePlanner for PostgresTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        use ast::DataType as Sql;
        let named = |data_type: DataType, name: String| {
            let metadata = [(TYPE_KEY.to_owned(), name)].into();
            Some(Arc::new(Field::new("", data_type, true).with_metadata(metadata)))
        };
        let text = |name: &str| named(DataType::Utf8, name.to_owned());
        Ok(match sql_type {
            Sql::Text => text("text"),
            Sql::Varchar(None) => text("character varying"),
            Sql::Varchar(Some(ast::CharacterLength::IntegerLength { length, .. })) => {
                text(&format!("character varying({length})"))
            }
            Sql::Char(_) => text("character"),
            Sql::JSON => text("json"),
            Sql::JSONB => text("jsonb"),
            Sql::Uuid => text("uuid"),
            // An engine that is asked for an oid was told so by the catalog's rewriting.
            Sql::IntegerUnsigned(None) => named(DataType::UInt32, "oid".to_owned()),
            Sql::BigInt(None) | Sql::Int8(None) => named(DataType::Int64, "bigint".to_owned()),
            Sql::Timestamp(None, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
                Some(Arc::new(Field::new("", DataType::Timestamp(TimeUnit::Microsecond, None), true)))
            }
            // Microseconds, as columns have; the engine would take nanoseconds.
            Sql::Time(None, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
                Some(Arc::new(Field::new("", DataType::Time64(TimeUnit::Microsecond), true)))
            }
            Sql::Custom(name, arguments) if arguments.is_empty() => match name.to_string().to_lowercase().as_str() {
                "name" => text("name"),
                _ => None,
            },
            _ => None,
        })
    }
}
