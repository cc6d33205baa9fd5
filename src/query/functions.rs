//! The functions of retail analytics as rows, from their own documentation.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use datafusion::logical_expr::Documentation;

use crate::catalog::inventory::oid_of;
use crate::catalog::model::{FunctionEntry, FunctionKind};

/// A function as its author documents it.
#[derive(Debug, Clone)]
pub struct DocumentedFunction {
    pub name: String,
    pub kind: &'static str,
    pub syntax: String,
    /// Names and meanings, comma separated.
    pub arguments: String,
    pub argument_names: Vec<String>,
    pub description: String,
    pub example: Option<String>,
}

/// Every function of the crate `henna-udfs`, by name.
pub fn documented() -> &'static [DocumentedFunction] {
    static FUNCTIONS: LazyLock<Vec<DocumentedFunction>> = LazyLock::new(|| {
        let scalar = henna_udfs::scalar_functions();
        let aggregate = henna_udfs::aggregate_functions();
        let window = henna_udfs::window_functions();
        let scalar = scalar.iter().filter_map(|f| row(f.name(), "scalar", f.documentation()));
        let aggregate = aggregate.iter().filter_map(|f| row(f.name(), "aggregate", f.documentation()));
        let window = window.iter().filter_map(|f| row(f.name(), "window", f.documentation()));
        let mut rows: Vec<_> = scalar.chain(aggregate).chain(window).collect();
        rows.sort_by(|left, right| left.name.cmp(&right.name));
        rows
    });
    &FUNCTIONS
}

/// The same for pg_proc.
pub fn entries() -> &'static [FunctionEntry] {
    static ENTRIES: LazyLock<Vec<FunctionEntry>> = LazyLock::new(|| {
        let mut taken = BTreeSet::new();
        documented().iter().map(|function| entry(function, &mut taken)).collect()
    });
    &ENTRIES
}

fn row(name: &str, kind: &'static str, documentation: Option<&Documentation>) -> Option<DocumentedFunction> {
    let documentation = documentation?;
    let arguments = documentation.arguments.clone().unwrap_or_default();
    let texts: Vec<String> = arguments.iter().map(|(name, meaning)| format!("{name}: {meaning}")).collect();
    Some(DocumentedFunction {
        name: name.to_owned(),
        kind,
        syntax: documentation.syntax_example.clone(),
        arguments: texts.join("; "),
        argument_names: arguments.into_iter().map(|(name, _)| name).collect(),
        description: documentation.description.clone(),
        example: documentation.sql_example.clone(),
    })
}

fn entry(function: &DocumentedFunction, taken: &mut BTreeSet<u32>) -> FunctionEntry {
    FunctionEntry {
        oid: oid_of(&format!("function {}", function.name), taken),
        schema: "public".to_owned(),
        name: function.name.clone(),
        kind: match function.kind {
            "aggregate" => FunctionKind::Aggregate,
            "window" => FunctionKind::Window,
            _ => FunctionKind::Scalar,
        },
        arguments: function.argument_names.join(", "),
        result: String::new(),
        description: function.description.clone(),
    }
}
