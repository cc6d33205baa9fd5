//! `views/*.sql` and `marts/*.sql`: one view a file, with its comments.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{CommentObject, Ident, ObjectName, Statement};

use super::ddl::{Located, at, fold, parse, unqualified};
use super::error::{DatasetError, SqlFault};

/// A view as its file defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFile {
    pub schema: String,
    pub name: String,
    /// The SELECT.
    pub sql: String,
    pub comment: Option<String>,
    pub column_comments: BTreeMap<String, String>,
}

/// The view of a file: `CREATE VIEW name AS SELECT ...`, or the SELECT alone, whose view is named as the file.
pub fn view(path: &str, schema: &str, name: &str, text: &str) -> Result<ViewFile, DatasetError> {
    let mut view: Option<ViewFile> = None;
    for Located { line, statement } in parse(path, text)? {
        match (statement, view.as_mut()) {
            (Statement::CreateView(create), None) => {
                let given = unqualified(&create.name, schema).map_err(at(path, line))?;
                if given != name {
                    return Err(at(path, line)(SqlFault::Name { wanted: name.to_owned(), found: given }));
                }
                if create.materialized || create.temporary || !create.columns.is_empty() {
                    let clause = "CREATE VIEW ... with MATERIALIZED, TEMPORARY or a column list".to_owned();
                    return Err(at(path, line)(SqlFault::Clause { clause }));
                }
                view = Some(blank(schema, name, create.query.to_string()));
            }
            (Statement::Query(query), None) => view = Some(blank(schema, name, query.to_string())),
            (Statement::Comment { object_type, object_name, comment, .. }, Some(view)) => {
                comment_on(view, &object_type, &object_name, comment).map_err(at(path, line))?;
            }
            (other, _) => {
                let found = other.to_string().split_whitespace().take(4).collect::<Vec<_>>().join(" ");
                let allowed = "one CREATE VIEW, then COMMENT ON VIEW or COLUMN,";
                return Err(at(path, line)(SqlFault::Statement { allowed, found }));
            }
        }
    }
    view.ok_or_else(|| at(path, 1)(SqlFault::Nothing { wanted: "CREATE VIEW" }))
}

fn blank(schema: &str, name: &str, sql: String) -> ViewFile {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    ViewFile { schema, name, sql, comment: None, column_comments: BTreeMap::new() }
}

fn comment_on(
    view: &mut ViewFile,
    kind: &CommentObject,
    name: &ObjectName,
    comment: Option<String>,
) -> Result<(), SqlFault> {
    let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    match (kind, parts.as_slice()) {
        (CommentObject::View, [.., relation]) if fold(relation) == view.name => view.comment = comment,
        (CommentObject::Column, [.., relation, column]) if fold(relation) == view.name => {
            view.column_comments.extend(comment.map(|text| (fold(column), text)));
        }
        _ => return Err(SqlFault::CommentElsewhere { found: name.to_string() }),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_its_select_and_its_comments() {
        let text = "-- revenue\nCREATE VIEW mart.revenue AS SELECT day, sum(x) AS sum FROM t GROUP BY day;\n\
                    COMMENT ON VIEW mart.revenue IS 'by day';\nCOMMENT ON COLUMN mart.revenue.day IS 'local';";
        let view = view("marts/revenue.sql", "mart", "revenue", text).unwrap();
        assert_eq!(view.sql, "SELECT day, sum(x) AS sum FROM t GROUP BY day");
        assert_eq!(view.comment.as_deref(), Some("by day"));
        assert_eq!(view.column_comments["day"], "local");
    }

    #[test]
    fn a_bare_select_is_a_view_named_as_its_file() {
        assert_eq!(view("views/a.sql", "public", "a", "SELECT 1").unwrap().name, "a");
    }

    #[test]
    fn a_view_of_another_name_is_refused() {
        let error = view("views/a.sql", "public", "a", "\nCREATE VIEW b AS SELECT 1").unwrap_err();
        assert_eq!(error.to_string(), "views/a.sql:2: the file is of 'a', and defines 'b'");
    }
}
