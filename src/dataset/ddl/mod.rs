//! `tables/<table>.sql` -> the table's contract: one CREATE TABLE, then COMMENT ON what it defines.

mod constraints;
mod statements;
mod types;

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    ColumnOption, ColumnOptionDef, CommentObject, CreateTable, Ident, ObjectName, Statement,
};

use self::constraints::Constraints;
pub(super) use self::statements::{Located, at, fold, parse, unqualified};
use super::contract::{Column, Contract};
use super::error::{DatasetError, SqlFault};

/// The contract that `text` declares. `path` stands in errors; `table` is the name that the file promises.
pub fn contract(path: &str, table: &str, text: &str) -> Result<Contract, DatasetError> {
    let mut contract: Option<Contract> = None;
    for Located { line, statement } in parse(path, text)? {
        match (statement, contract.as_mut()) {
            (Statement::CreateTable(create), None) => contract = Some(created(path, table, &create, line)?),
            (Statement::Comment { object_type, object_name, comment, .. }, Some(contract)) => {
                comment_on(contract, &object_type, &object_name, comment).map_err(at(path, line))?;
            }
            (other, _) => {
                let fault = SqlFault::Statement {
                    allowed: "one CREATE TABLE, then COMMENT ON TABLE or COLUMN,",
                    found: first_words(&other.to_string()),
                };
                return Err(at(path, line)(fault));
            }
        }
    }
    contract.ok_or_else(|| at(path, 1)(SqlFault::Nothing { wanted: "CREATE TABLE" }))
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

fn created(path: &str, table: &str, create: &CreateTable, line: u64) -> Result<Contract, DatasetError> {
    let name = unqualified(&create.name, "public").map_err(at(path, line))?;
    if name != table {
        return Err(at(path, line)(SqlFault::Name { wanted: table.to_owned(), found: name }));
    }
    refuse_clauses(create).map_err(at(path, line))?;
    let mut columns: Vec<Column> = Vec::with_capacity(create.columns.len());
    let mut constraints = Constraints::of(table);
    for definition in &create.columns {
        let line = definition.name.span.start.line.max(line);
        let mut column = Column {
            name: fold(&definition.name),
            sql_type: types::sql_type(&fold(&definition.name), &definition.data_type).map_err(at(path, line))?,
            nullable: true,
            default: None,
            comment: None,
        };
        if columns.iter().any(|other| other.name == column.name) {
            return Err(at(path, line)(SqlFault::ColumnTwice { column: column.name }));
        }
        for option in &definition.options {
            column_option(&mut column, option, &mut constraints).map_err(at(path, line))?;
        }
        columns.push(column);
    }
    for constraint in &create.constraints {
        constraints.of_table(constraint).map_err(at(path, constraints::line_of(constraint).max(line)))?;
    }
    constraints.finish(columns).map_err(at(path, line))
}

fn refuse_clauses(create: &CreateTable) -> Result<(), SqlFault> {
    let clause = if create.query.is_some() {
        "CREATE TABLE AS"
    } else if create.temporary {
        "TEMPORARY"
    } else if create.like.is_some() {
        "LIKE"
    } else if create.inherits.is_some() {
        "INHERITS"
    } else if create.partition_by.is_some() || create.partition_of.is_some() {
        "PARTITION"
    } else {
        return Ok(());
    };
    Err(SqlFault::Clause { clause: clause.to_owned() })
}

fn column_option(
    column: &mut Column,
    definition: &ColumnOptionDef,
    constraints: &mut Constraints,
) -> Result<(), SqlFault> {
    let name = definition.name.as_ref();
    match &definition.option {
        ColumnOption::Null => column.nullable = true,
        ColumnOption::NotNull => column.nullable = false,
        ColumnOption::Default(value) => column.default = Some(value.to_string()),
        ColumnOption::PrimaryKey(_) => constraints.primary_key(vec![column.name.clone()])?,
        ColumnOption::Check(check) => constraints.check(name.or(check.name.as_ref()), Some(&column.name), &check.expr),
        ColumnOption::ForeignKey(key) => {
            constraints.foreign_key(name.or(key.name.as_ref()), vec![column.name.clone()], key)?;
        }
        other => return Err(SqlFault::Clause { clause: other.to_string() }),
    }
    Ok(())
}

fn comment_on(
    contract: &mut Contract,
    kind: &CommentObject,
    name: &ObjectName,
    comment: Option<String>,
) -> Result<(), SqlFault> {
    let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    match (kind, parts.as_slice()) {
        (CommentObject::Table, [.., table]) if fold(table) == contract.name => contract.comment = comment,
        (CommentObject::Column, [.., table, column]) if fold(table) == contract.name => {
            let column = fold(column);
            match contract.columns.iter_mut().find(|known| known.name == column) {
                Some(known) => known.comment = comment,
                None => return Err(SqlFault::ColumnUnknown { column }),
            }
        }
        _ => return Err(SqlFault::CommentElsewhere { found: name.to_string() }),
    }
    Ok(())
}

/// An empty contract of `name`.
fn blank(name: &str) -> Contract {
    Contract {
        name: name.to_owned(),
        columns: Vec::new(),
        primary_key: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        comment: None,
        partition: None,
        sort: Vec::new(),
        version: None,
        defaults: BTreeMap::new(),
        statistics_off: Vec::new(),
        retention: None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::contract::SqlType;
    use super::*;

    fn orders(text: &str) -> Result<Contract, DatasetError> {
        contract("tables/orders.sql", "orders", text)
    }

    fn refusal(text: &str) -> String {
        orders(text).unwrap_err().to_string()
    }

    #[test]
    fn every_type_of_the_contract_language_is_read() {
        let contract = orders(
            "CREATE TABLE Public.Orders (a boolean, b smallint, c int, d int8, e real, f double precision, \
             g numeric(18, 2), h text, i varchar(20), j char(3), k date, l time, m timestamp, n timestamptz, \
             o uuid, p bytea, q json, r jsonb, s text[], t numeric, u decimal(5), v varchar, w float, \
             x timestamp with time zone, y int4[3])",
        )
        .unwrap();
        let shown: Vec<String> = contract.columns.iter().map(|column| column.sql_type.to_string()).collect();
        assert_eq!(
            shown,
            [
                "boolean",
                "smallint",
                "integer",
                "bigint",
                "real",
                "double precision",
                "numeric(18,2)",
                "text",
                "character varying(20)",
                "character(3)",
                "date",
                "time without time zone",
                "timestamp without time zone",
                "timestamp with time zone",
                "uuid",
                "bytea",
                "json",
                "jsonb",
                "text[]",
                "numeric(38,10)",
                "numeric(5,0)",
                "character varying",
                "double precision",
                "timestamp with time zone",
                "integer[]",
            ]
        );
    }

    #[test]
    fn constraints_get_the_names_that_postgresql_gives() {
        let contract = orders(
            "CREATE TABLE orders (Id bigint, part int CHECK (part > 0) CHECK (part < 9), \
             customer bigint REFERENCES customers, CONSTRAINT fine CHECK (id > part), CHECK (id <> 3), \
             PRIMARY KEY (id, part), FOREIGN KEY (id, part) REFERENCES lines (a, b))",
        )
        .unwrap();
        let names: Vec<&str> = contract.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["orders_part_check", "orders_part_check1", "fine", "orders_check"]);
        assert_eq!(contract.checks[0].condition, "part > 0");
        assert_eq!(contract.primary_key, ["id", "part"]);
        assert!(!contract.columns[0].nullable && !contract.columns[1].nullable && contract.columns[2].nullable);
        assert_eq!(contract.foreign_keys[0].name, "orders_customer_fkey");
        assert_eq!(contract.foreign_keys[1].name, "orders_id_part_fkey");
        assert_eq!(contract.foreign_keys[1].table_columns, ["a", "b"]);
    }

    #[test]
    fn comments_and_defaults_are_kept() {
        let contract = orders(
            "CREATE TABLE orders (id text PRIMARY KEY, currency text NOT NULL DEFAULT 'CNY');\n\
             COMMENT ON TABLE orders IS 'One row per order';\nCOMMENT ON COLUMN orders.id IS 'the shop''s number';",
        )
        .unwrap();
        assert_eq!(contract.comment.as_deref(), Some("One row per order"));
        assert_eq!(contract.columns[0].comment.as_deref(), Some("the shop's number"));
        assert_eq!(contract.columns[1].default.as_deref(), Some("'CNY'"));
        assert_eq!(contract.columns[1].sql_type, SqlType::Text);
    }

    #[test]
    fn a_quoted_name_keeps_its_case() {
        let contract = orders("CREATE TABLE orders (\"Größe\" int, Plain int)").unwrap();
        assert_eq!(contract.columns[0].name, "Größe");
        assert_eq!(contract.columns[1].name, "plain");
    }

    #[test]
    fn a_refusal_names_the_file_and_the_line() {
        let serial = refusal("CREATE TABLE orders (\n  id\n bigserial\n)");
        assert!(serial.starts_with("tables/orders.sql:2: column 'id' is bigserial"), "{serial}");
        let money = refusal("CREATE TABLE orders (\n\n  id money)");
        assert!(money.starts_with("tables/orders.sql:3: type money of column 'id' is not supported"), "{money}");
        let syntax = refusal("CREATE TABLE orders (id int);\n\nCREATE TABEL x");
        assert!(syntax.starts_with("tables/orders.sql:3: "), "{syntax}");
        let twice = refusal("CREATE TABLE orders (id int,\nid int)");
        assert_eq!(twice, "tables/orders.sql:2: column 'id' stands twice");
        let key = refusal("CREATE TABLE orders (id int,\nPRIMARY KEY (nr))");
        assert_eq!(key, "tables/orders.sql:1: there is no column 'nr'");
    }

    #[test]
    fn what_a_contract_cannot_promise_is_refused() {
        for (text, part) in [
            ("CREATE TABLE orders (id int UNIQUE)", "'UNIQUE' is not supported"),
            ("CREATE TABLE orders (id int, UNIQUE (id))", "is not supported"),
            ("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY)", "is not supported"),
            ("CREATE TABLE orders AS SELECT 1", "'CREATE TABLE AS' is not supported"),
            ("CREATE TABLE lines (id int)", "the file is of 'orders', and defines 'lines'"),
            ("CREATE TABLE orders (id numeric(39, 2))", "not (39, 2)"),
            ("CREATE TABLE orders (id int[][])", "type INT[][] of column 'id' is not supported"),
            ("CREATE TABLE orders (id int); DROP TABLE orders", "not: DROP TABLE orders"),
            ("CREATE TABLE orders (id int); COMMENT ON COLUMN orders.x IS ''", "there is no column 'x'"),
            ("CREATE TABLE orders (id int); COMMENT ON TABLE x IS ''", "a comment is on 'x'"),
            ("-- nothing", "there is no CREATE TABLE"),
            ("CREATE TABLE orders (id int PRIMARY KEY, PRIMARY KEY (id))", "a table has one primary key"),
        ] {
            let message = refusal(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
