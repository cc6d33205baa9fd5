//! The shape of the system relations: their oids and columns, as PostgreSQL has them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef};

use super::types;

pub const PG_CATALOG: &str = "pg_catalog";
pub const INFORMATION_SCHEMA: &str = "information_schema";

/// A relation of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub struct SystemRelation {
    pub schema: &'static str,
    pub name: String,
    pub oid: u32,
    /// `r`, `v`; `x` where nobody may read it.
    pub kind: char,
    pub columns: Vec<SystemColumn>,
    positions: HashMap<String, usize>,
}

#[derive(Debug)]
pub struct SystemColumn {
    pub name: String,
    /// As `pg_type` names it.
    pub type_name: String,
    pub nullable: bool,
}

impl SystemRelation {
    pub fn position(&self, column: &str) -> Option<usize> {
        self.positions.get(column).copied()
    }

    /// Its schema for a session of time zone `zone`.
    pub fn arrow_schema(&self, zone: &str) -> SchemaRef {
        let field = |column: &SystemColumn| types::field(&column.name, &column.type_name, column.nullable, zone);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// `r` or `v`.
    pub fn relkind(&self) -> char {
        if self.kind == 'v' { 'v' } else { 'r' }
    }
}

static RELATIONS: LazyLock<Vec<SystemRelation>> = LazyLock::new(|| {
    let mut relations = parse(PG_CATALOG, include_str!("pg/pg_catalog.txt"));
    relations.extend(parse(INFORMATION_SCHEMA, include_str!("pg/information_schema.txt")));
    relations
});

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static SystemRelation>> =
    LazyLock::new(|| RELATIONS.iter().map(|item| ((item.schema, item.name.as_str()), item)).collect());

/// Every system relation, those of `pg_catalog` first.
pub fn all() -> &'static [SystemRelation] {
    &RELATIONS
}

pub fn find(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    BY_NAME.get(&(schema, name)).copied()
}

/// The type of a column of `pg_catalog` by its name alone, where every relation that has the column agrees.
pub fn column_type(column: &str) -> Option<&'static str> {
    static TYPES: LazyLock<HashMap<&'static str, Option<&'static str>>> = LazyLock::new(|| {
        let mut types: HashMap<&str, Option<&str>> = HashMap::new();
        for column in RELATIONS.iter().filter(|item| item.schema == PG_CATALOG).flat_map(|item| &item.columns) {
            types
                .entry(&column.name)
                .and_modify(|known| *known = known.filter(|known| *known == column.type_name))
                .or_insert(Some(&column.type_name));
        }
        types
    });
    TYPES.get(column).copied().flatten()
}

fn parse(schema: &'static str, text: &str) -> Vec<SystemRelation> {
    let mut relations: Vec<SystemRelation> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            if let Some(relation) = relations.last_mut() {
                relation.columns.extend(line.split_ascii_whitespace().filter_map(parse_column));
            }
        } else {
            relations.extend(parse_head(schema, line));
        }
    }
    for relation in &mut relations {
        let names = relation.columns.iter().map(|column| column.name.clone());
        relation.positions = names.enumerate().map(|(position, name)| (name, position)).collect();
    }
    relations
}

fn parse_head(schema: &'static str, line: &str) -> Option<SystemRelation> {
    let mut words = line.split_ascii_whitespace();
    Some(SystemRelation {
        schema,
        name: words.next()?.to_owned(),
        oid: words.next()?.parse().ok()?,
        kind: words.next()?.chars().next()?,
        columns: Vec::new(),
        positions: HashMap::new(),
    })
}

fn parse_column(word: &str) -> Option<SystemColumn> {
    let (name, type_name) = word.split_once(':')?;
    Some(SystemColumn {
        name: name.to_owned(),
        type_name: type_name.trim_end_matches('!').to_owned(),
        nullable: !type_name.ends_with('!'),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_known_type() {
        for relation in all() {
            assert!(!relation.columns.is_empty(), "{}", relation.name);
            for column in &relation.columns {
                assert!(types::by_name(&column.type_name).is_some(), "{}.{}", relation.name, column.type_name);
            }
        }
    }

    #[test]
    fn a_column_type_is_known_by_name_only_where_all_agree() {
        assert_eq!(column_type("polroles"), Some("_oid"));
        assert_eq!(column_type("typreceive"), Some("regproc"));
        assert_eq!(column_type("nothing"), None);
    }

    #[test]
    fn system_oids_are_those_of_postgres() {
        assert_eq!(find(PG_CATALOG, "pg_class").unwrap().oid, 1259);
        assert_eq!(column_type("attnum"), Some("int2"));
    }
}
