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
        description: documentation.description.clone(),
        example: documentation.sql_example.clone(),
    })
}

fn entry(function: &DocumentedFunction, taken: &mut BTreeSet<u32>) -> FunctionEntry {
    let (arguments, result) = signature(&function.syntax);
    FunctionEntry {
        oid: oid_of(&format!("function {}", function.name), taken),
        schema: "public".to_owned(),
        name: function.name.clone(),
        kind: match function.kind {
            "aggregate" => FunctionKind::Aggregate,
            "window" => FunctionKind::Window,
            _ => FunctionKind::Scalar,
        },
        arguments,
        result,
        description: function.description.clone(),
    }
}

/// Arguments and result as PostgreSQL tells them, from `name(a t [, b t]) -> result`.
fn signature(syntax: &str) -> (String, String) {
    let (call, result) = syntax.rsplit_once(" -> ").unwrap_or((syntax, ""));
    let arguments = call.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
    let (required, optional) = arguments.split_once(" [, ").unwrap_or((arguments, ""));
    let optional = optional.trim_end_matches(']').split(", ").filter(|argument| !argument.is_empty());
    let defaults = optional.map(|argument| format!("{argument} DEFAULT NULL"));
    let all: Vec<String> = std::iter::once(required.to_owned()).chain(defaults).collect();
    let in_full = |text: &str| text.replace("timestamptz", "timestamp with time zone");
    (in_full(&all.join(", ")), in_full(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_tells_the_types_of_its_arguments_and_of_its_result() {
        for function in entries() {
            assert!(!function.result.is_empty(), "{}", function.name);
            for argument in function.arguments.split(", ") {
                let (_, kind) = argument.split_once(' ').unwrap_or_default();
                assert!(!kind.is_empty() && !kind.contains(['[', ']']), "{}: {argument}", function.name);
            }
        }
    }

    #[test]
    fn a_signature_is_told_in_full_words() {
        let syntax = "f(ts timestamptz, n integer [, map text]) -> json";
        let arguments = "ts timestamp with time zone, n integer, map text DEFAULT NULL";
        assert_eq!(signature(syntax), (arguments.to_owned(), "json".to_owned()));
        assert_eq!(signature("g(a text) OVER ([PARTITION BY ...]) -> text"), ("a text".to_owned(), "text".to_owned()));
    }
}
