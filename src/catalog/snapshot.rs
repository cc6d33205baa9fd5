//! The visible catalog at one moment, with the objects that follow from it: oids, indexes, constraints.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::model::{FunctionEntry, RelationEntry, RelationKind, RoleEntry, VisibleCatalog};
use super::session::{CatalogHandle, CatalogSession};
use super::spec::{self, INFORMATION_SCHEMA, PG_CATALOG, SystemRelation};
use super::types;
use crate::dataset::{Check, ForeignKey};

pub const PG_CATALOG_OID: u32 = 11;
pub const INFORMATION_SCHEMA_OID: u32 = 13000;
pub const PG_TOAST_OID: u32 = 99;
pub const DATABASE_OID: u32 = 5;
/// The owner of what the server brings with it.
pub const SYSTEM_OWNER_OID: u32 = 10;
pub const SYSTEM_OWNER: &str = "henna";

#[derive(Debug, Clone)]
pub struct Snapshot {
    pub session: CatalogHandle,
    pub visible: Seen,
}

/// The visible catalog, worked out when it is first looked at: who asks for the version need not know every table.
#[derive(Debug, Clone)]
pub struct Seen {
    session: CatalogHandle,
    catalog: OnceLock<Arc<VisibleCatalog>>,
}

impl Deref for Seen {
    type Target = VisibleCatalog;

    fn deref(&self) -> &VisibleCatalog {
        self.catalog.get_or_init(|| self.session.visible())
    }
}

/// A schema, of the user's or of the system.
#[derive(Debug, Clone)]
pub struct Namespace<'a> {
    pub oid: u32,
    pub name: &'a str,
    pub owner: u32,
    pub comment: Option<&'a str>,
    pub acl: &'a [String],
}

/// A relation, of the user's or of the system.
#[derive(Debug, Clone, Copy)]
pub enum Relation<'a> {
    User(&'a RelationEntry),
    System(&'static SystemRelation),
}

/// A column as `pg_attribute` has it.
#[derive(Debug, Clone)]
pub struct Attribute<'a> {
    pub number: i16,
    pub name: &'a str,
    pub type_oid: u32,
    pub modifier: i32,
    pub not_null: bool,
    pub default: Option<&'a str>,
    pub comment: Option<&'a str>,
    pub acl: &'a [String],
}

/// The index that stands for a primary key.
#[derive(Debug, Clone)]
pub struct Index<'a> {
    pub oid: u32,
    pub name: String,
    pub relation: &'a RelationEntry,
    /// The numbers of its columns in the relation.
    pub keys: Vec<i16>,
}

#[derive(Debug, Clone)]
pub struct Constraint<'a> {
    pub oid: u32,
    pub name: String,
    pub relation: &'a RelationEntry,
    pub rule: Rule<'a>,
}

#[derive(Debug, Clone)]
pub enum Rule<'a> {
    PrimaryKey { index: u32, keys: Vec<i16> },
    ForeignKey { key: &'a ForeignKey, target: &'a RelationEntry, keys: Vec<i16>, target_columns: Vec<String> },
    Check { check: &'a Check },
}

impl Rule<'_> {
    /// The letter in `contype`.
    pub fn letter(&self) -> char {
        match self {
            Self::PrimaryKey { .. } => 'p',
            Self::ForeignKey { .. } => 'f',
            Self::Check { .. } => 'c',
        }
    }
}

impl<'a> Relation<'a> {
    pub fn oid(&self) -> u32 {
        match self {
            Self::User(entry) => entry.oid,
            Self::System(relation) => relation.oid,
        }
    }

    pub fn schema(&self) -> &'a str {
        match self {
            Self::User(entry) => &entry.schema,
            Self::System(relation) => relation.schema,
        }
    }

    pub fn name(&self) -> &'a str {
        match self {
            Self::User(entry) => &entry.name,
            Self::System(relation) => &relation.name,
        }
    }

    /// `r` or `v`.
    pub fn kind(&self) -> char {
        match self {
            Self::User(entry) => match entry.kind {
                RelationKind::Table => 'r',
                RelationKind::View => 'v',
            },
            Self::System(relation) => relation.relkind(),
        }
    }

    pub fn attributes(&self) -> Vec<Attribute<'a>> {
        match self {
            Self::User(entry) => user_attributes(entry),
            Self::System(relation) => system_attributes(relation),
        }
    }
}

fn user_attributes(entry: &RelationEntry) -> Vec<Attribute<'_>> {
    let attribute = |(number, column)| {
        let column: &crate::dataset::Column = column;
        let (type_oid, modifier) = types::of_sql(&column.sql_type);
        Attribute {
            number,
            name: &column.name,
            type_oid,
            modifier,
            not_null: !column.nullable || entry.primary_key.contains(&column.name),
            default: column.default.as_deref(),
            comment: column.comment.as_deref(),
            acl: entry.column_acls.get(&column.name).map(Vec::as_slice).unwrap_or_default(),
        }
    };
    (1..).zip(&entry.columns).map(attribute).collect()
}

fn system_attributes(relation: &'static SystemRelation) -> Vec<Attribute<'static>> {
    let attribute = |(number, column)| {
        let column: &'static spec::SystemColumn = column;
        Attribute {
            number,
            name: &column.name,
            type_oid: types::by_name(&column.type_name).map_or(0, |item| item.oid),
            modifier: -1,
            not_null: !column.nullable,
            default: None,
            comment: None,
            acl: &[],
        }
    };
    (1..).zip(&relation.columns).map(attribute).collect()
}

impl Snapshot {
    pub fn take(session: &CatalogHandle) -> Self {
        let visible = Seen { session: Arc::clone(session), catalog: OnceLock::new() };
        Self { session: Arc::clone(session), visible }
    }

    pub fn namespaces(&self) -> Vec<Namespace<'_>> {
        let system = |oid, name, comment| Namespace { oid, name, owner: SYSTEM_OWNER_OID, comment, acl: &[] };
        let mut namespaces = vec![
            system(PG_CATALOG_OID, PG_CATALOG, Some("system catalog schema")),
            system(INFORMATION_SCHEMA_OID, INFORMATION_SCHEMA, None),
        ];
        namespaces.extend(self.visible.schemas.iter().map(|schema| Namespace {
            oid: schema.oid,
            name: &schema.name,
            owner: self.role_oid(&schema.owner),
            comment: schema.comment.as_deref(),
            acl: &schema.acl,
        }));
        namespaces
    }

    /// The oid of a schema; 0 where it is not visible.
    pub fn namespace_oid(&self, name: &str) -> u32 {
        match name {
            PG_CATALOG => PG_CATALOG_OID,
            INFORMATION_SCHEMA => INFORMATION_SCHEMA_OID,
            _ => self.visible.schemas.iter().find(|schema| schema.name == name).map_or(0, |schema| schema.oid),
        }
    }

    pub fn namespace_name(&self, oid: u32) -> Option<&str> {
        self.namespaces().into_iter().find(|schema| schema.oid == oid).map(|schema| schema.name)
    }

    pub fn relations(&self) -> impl Iterator<Item = Relation<'_>> {
        let system = spec::all().iter().map(Relation::System);
        system.chain(self.visible.relations.iter().map(Relation::User))
    }

    pub fn relation(&self, oid: u32) -> Option<Relation<'_>> {
        self.relations().find(|relation| relation.oid() == oid)
    }

    pub fn user_relation(&self, oid: u32) -> Option<&RelationEntry> {
        self.visible.relations.iter().find(|relation| relation.oid == oid)
    }

    /// A relation, by a name that may be qualified and quoted, an index too, as `::regclass` resolves it.
    pub fn relation_oid_by_name(&self, text: &str) -> Option<u32> {
        let mut parts = split_name(text)?;
        let name = parts.pop()?;
        match parts.pop() {
            Some(schema) => self.relation_oid_in(&schema, &name),
            None => std::iter::once(PG_CATALOG.to_owned())
                .chain(self.session.search_path())
                .find_map(|schema| self.relation_oid_in(&schema, &name)),
        }
    }

    fn relation_oid_in(&self, schema: &str, name: &str) -> Option<u32> {
        let relation = self.relations().find(|relation| relation.schema() == schema && relation.name() == name);
        relation.map(|relation| relation.oid()).or_else(|| {
            self.indexes().find(|index| index.relation.schema == schema && index.name == name).map(|index| index.oid)
        })
    }

    /// The name of a relation or index as `::regclass::text` writes it: qualified where the search path does not lead to it.
    pub fn relation_text(&self, oid: u32) -> Option<String> {
        let (schema, name) = match self.relation(oid) {
            Some(relation) => (relation.schema(), relation.name().to_owned()),
            None => {
                let index = self.indexes().find(|index| index.oid == oid)?;
                (index.relation.schema.as_str(), index.name)
            }
        };
        if self.is_found_unqualified(schema, &name) {
            return Some(quote_ident(&name));
        }
        Some(format!("{}.{}", quote_ident(schema), quote_ident(&name)))
    }

    /// Whether the bare name leads to the relation of that schema: `pg_table_is_visible`.
    pub fn is_found_unqualified(&self, schema: &str, name: &str) -> bool {
        if schema == PG_CATALOG {
            return true;
        }
        let holds = |candidate: &String| {
            self.visible.relations.iter().any(|relation| relation.schema == *candidate && relation.name == name)
                || self.indexes().any(|index| index.relation.schema == *candidate && index.name == name)
        };
        spec::find(PG_CATALOG, name).is_none()
            && self.session.search_path().iter().find(|candidate| holds(candidate)).is_some_and(|first| first == schema)
    }

    pub fn is_on_search_path(&self, schema: &str) -> bool {
        schema == PG_CATALOG || self.session.search_path().iter().any(|name| name == schema)
    }

    pub fn indexes(&self) -> impl Iterator<Item = Index<'_>> {
        self.visible.relations.iter().filter(|relation| !relation.primary_key.is_empty()).map(|relation| Index {
            oid: index_oid(relation),
            name: primary_key_name(relation),
            relation,
            keys: column_numbers(relation, &relation.primary_key),
        })
    }

    /// Constraints in the order of their relations. A foreign key to a table that is not visible is left out.
    pub fn constraints(&self) -> impl Iterator<Item = Constraint<'_>> {
        self.visible.relations.iter().flat_map(|relation| self.constraints_of(relation))
    }

    pub fn constraints_of<'a>(&'a self, relation: &'a RelationEntry) -> Vec<Constraint<'a>> {
        let mut constraints = Vec::new();
        if !relation.primary_key.is_empty() {
            let name = primary_key_name(relation);
            let keys = column_numbers(relation, &relation.primary_key);
            let rule = Rule::PrimaryKey { index: index_oid(relation), keys };
            constraints.push(Constraint { oid: derived_oid("p", relation.oid, &name), name, relation, rule });
        }
        constraints.extend(relation.foreign_keys.iter().filter_map(|key| self.foreign_key(relation, key)));
        constraints.extend(relation.checks.iter().map(|check| Constraint {
            oid: derived_oid("c", relation.oid, &check.name),
            name: check.name.clone(),
            relation,
            rule: Rule::Check { check },
        }));
        constraints
    }

    fn foreign_key<'a>(&'a self, relation: &'a RelationEntry, key: &'a ForeignKey) -> Option<Constraint<'a>> {
        let (schema, table) = key.table.split_once('.').unwrap_or((&relation.schema, &key.table));
        let mut relations = self.visible.relations.iter();
        let target = relations.find(|entry| entry.schema == schema && entry.name == table)?;
        let columns = if key.table_columns.is_empty() { &target.primary_key } else { &key.table_columns };
        Some(Constraint {
            oid: derived_oid("f", relation.oid, &key.name),
            name: key.name.clone(),
            relation,
            rule: Rule::ForeignKey {
                key,
                target,
                keys: column_numbers(relation, &key.columns),
                target_columns: columns.clone(),
            },
        })
    }

    pub fn role_oid(&self, name: &str) -> u32 {
        self.visible.roles.iter().find(|role| role.name == name).map_or(SYSTEM_OWNER_OID, |role| role.oid)
    }

    pub fn role(&self, oid: u32) -> Option<&RoleEntry> {
        self.visible.roles.iter().find(|role| role.oid == oid)
    }

    pub fn function(&self, oid: u32) -> Option<&FunctionEntry> {
        self.visible.functions.iter().find(|function| function.oid == oid)
    }

    pub fn session(&self) -> &dyn CatalogSession {
        self.session.as_ref()
    }
}

/// The numbers of columns named so; a name that is no column is left out.
pub fn column_numbers(relation: &RelationEntry, names: &[String]) -> Vec<i16> {
    let number = |name: &String| relation.columns.iter().position(|column| column.name == *name);
    names.iter().filter_map(number).filter_map(|position| i16::try_from(position + 1).ok()).collect()
}

fn primary_key_name(relation: &RelationEntry) -> String {
    format!("{}_pkey", relation.name)
}

fn index_oid(relation: &RelationEntry) -> u32 {
    derived_oid("i", relation.oid, "")
}

pub fn default_oid(relation: u32, column: i16) -> u32 {
    derived_oid("d", relation, &column.to_string())
}

/// The oid of a function that reads or writes a type.
pub fn support_function_oid(name: &str) -> u32 {
    derived_oid("t", 0, name)
}

/// The oid of an object that belongs to a relation: the same for ever, above those that are given out one by one and below 2^31, for
/// clients that hold oids in a signed integer.
fn derived_oid(kind: &str, relation: u32, name: &str) -> u32 {
    let text = format!("{kind}/{relation}/{name}");
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (1 << 30) | (hash ^ (hash >> 30)) & ((1 << 30) - 1)
}

/// A name as SQL must write it.
pub fn quote_ident(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && !RESERVED.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

pub fn reserved_words() -> &'static [&'static str] {
    &RESERVED
}

/// Words that PostgreSQL never takes as a bare name.
const RESERVED: [&str; 77] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// The parts of a dotted name, quotes taken off and bare parts in lower case; `None` where it is no name.
pub fn split_name(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut chars = text.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' if chars.next_if_eq(&'"').is_some() => part.push('"'),
                    '"' => break,
                    other => part.push(other),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.') {
                part.extend(c.to_lowercase());
            }
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match chars.next() {
            Some('.') => {}
            Some(_) => return None,
            None => return Some(parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_sql_reads_them() {
        let split = |text| split_name(text).unwrap_or_default().join("|");
        assert_eq!(split("public.Orders"), "public|orders");
        assert_eq!(split("\"a.b\".\"C\"\"d\""), "a.b|C\"d");
        assert_eq!(split("a."), "");
        assert_eq!(split("\"a"), "");
    }

    #[test]
    fn names_are_quoted_where_sql_needs_it() {
        assert_eq!(quote_ident("orders"), "orders");
        assert_eq!(quote_ident("Order"), "\"Order\"");
        assert_eq!(quote_ident("order"), "\"order\"");
    }

    #[test]
    fn derived_oids_are_fixed_and_positive_in_a_signed_integer() {
        assert_eq!(derived_oid("i", 16384, ""), derived_oid("i", 16384, ""));
        assert_ne!(derived_oid("i", 16384, ""), derived_oid("i", 16385, ""));
        assert!(i32::try_from(derived_oid("c", 99, "x")).is_ok());
    }
}
