//! What the engine says went wrong, told as PostgreSQL tells it.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::error::{Error, Reason};

/// Turns an engine error into ours. An error of ours that travelled through the engine comes back as it was.
pub fn failure(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(cause) => match cause.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => external(&*other),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => failure(*inner),
        DataFusionError::Shared(shared) => of_shared(&shared),
        DataFusionError::Collection(errors) => match errors.into_iter().next() {
            Some(first) => failure(first),
            None => Error::new(Reason::Internal, "an empty collection of errors"),
        },
        other => of_shared(&other),
    }
}

/// What happened, of an error that goes on to someone else.
pub fn reason_of(error: &DataFusionError) -> Reason {
    of_shared(error).reason()
}

/// The same for an error that others hold too; one of ours inside is told again with the same reason and text.
fn of_shared(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::ArrowError(cause, _) => arrow_failure(cause),
        DataFusionError::ParquetError(cause) => Error::new(Reason::Corrupt, cause.to_string()),
        DataFusionError::ObjectStore(cause) => Error::new(Reason::Io, cause.to_string()),
        DataFusionError::IoError(cause) => Error::new(Reason::Io, cause.to_string()),
        DataFusionError::SQL(cause, _) => syntax(cause),
        DataFusionError::NotImplemented(text) => not_there(text),
        DataFusionError::Plan(text) => plan_failure(text),
        DataFusionError::SchemaError(cause, _) => schema_failure(cause),
        DataFusionError::Execution(text) => execution_failure(text),
        DataFusionError::Configuration(text) => Error::new(Reason::InvalidParameter, text.clone()),
        DataFusionError::ResourcesExhausted(text) => Error::new(Reason::MemoryExhausted, text.clone()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => of_shared(inner),
        DataFusionError::Shared(inner) => of_shared(inner),
        DataFusionError::External(cause) => external(&**cause),
        DataFusionError::Collection(errors) => {
            errors.first().map_or_else(|| Error::new(Reason::Internal, "an empty collection of errors"), of_shared)
        }
        DataFusionError::Internal(text) | DataFusionError::Substrait(text) | DataFusionError::Ffi(text) => {
            Error::new(Reason::Internal, first_line(text))
        }
        DataFusionError::ExecutionJoin(cause) => Error::new(Reason::Internal, cause.to_string()),
    }
}

/// What the engine cannot do; what is left of a sub-query that leans on what is around it would be told as a piece of a plan.
fn not_there(text: &str) -> Error {
    let left_over = ["OuterReferenceColumn", "Exists(", "InSubquery(", "ScalarSubquery("];
    let is_left_over =
        text.contains("does not support logical expression") && left_over.iter().any(|part| text.contains(part));
    let text = if is_left_over { "a sub-query of this form cannot take values from the query around it" } else { text };
    Error::new(Reason::Unsupported, text.to_owned())
}

fn external(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    if let Some(ours) = cause.downcast_ref::<Error>() {
        return Error::new(ours.reason(), ours.to_string());
    }
    if let Some(inner) = cause.downcast_ref::<DataFusionError>() {
        return of_shared(inner);
    }
    if let Some(inner) = cause.downcast_ref::<ArrowError>() {
        return arrow_failure(inner);
    }
    let text = cause.to_string();
    regex_failure(&text).unwrap_or_else(|| Error::new(Reason::Internal, text))
}

/// A text that does not parse, with the character where the parser stopped if it said so.
pub fn syntax(error: &ParserError) -> Error {
    if *error == ParserError::RecursionLimitExceeded {
        return Error::new(Reason::TooComplex, "the statement is nested too deeply");
    }
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply",
    };
    match (between(text, "found: ", " at Line: "), text.strip_suffix("found: EOF")) {
        (Some("EOF"), _) | (_, Some(_)) => Error::new(Reason::Syntax, "syntax error at end of input"),
        (Some(word), None) => {
            Error::new(Reason::Syntax, format!("syntax error at or near \"{word}\"")).with_detail(text.to_owned())
        }
        (None, None) => Error::new(Reason::Syntax, format!("syntax error: {text}")),
    }
}

/// A pattern that does not parse, from whichever crate tried: its last line says why.
fn regex_failure(text: &str) -> Option<Error> {
    let is_one = ["regex parse error", "Regular expression did not compile", "Compiled regex exceeds"];
    if !is_one.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let last = text.trim_end().lines().last().unwrap_or_default();
    let why = last.rsplit("error: ").next().unwrap_or(last).trim_end_matches([')', '"']);
    Some(Error::new(Reason::InvalidRegex, format!("invalid regular expression: {why}")))
}

fn arrow_failure(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(Reason::DivisionByZero, "division by zero"),
        ArrowError::ArithmeticOverflow(text) => Error::new(Reason::OutOfRange, format!("out of range: {text}")),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => cast_failure(text),
        ArrowError::InvalidArgumentError(text) if text.contains("too large to store") || text.contains("overflow") => {
            Error::new(Reason::OutOfRange, text.clone())
        }
        ArrowError::ExternalError(cause) => external(&**cause),
        ArrowError::NotYetImplemented(text) => Error::new(Reason::Unsupported, text.clone()),
        ArrowError::IoError(text, _) => Error::new(Reason::Io, text.clone()),
        ArrowError::MemoryError(text) => Error::new(Reason::MemoryExhausted, text.clone()),
        other => {
            let text = other.to_string();
            regex_failure(&text).unwrap_or_else(|| Error::new(Reason::InvalidParameter, text))
        }
    }
}

fn cast_failure(text: &str) -> Error {
    let reason = if text.contains("imestamp") || text.contains("Date") || text.contains("date") || text.contains("Time")
    {
        Reason::InvalidDatetime
    } else if text.contains("overflow") || text.contains("out of range") || text.contains("Can't cast value") {
        Reason::OutOfRange
    } else {
        Reason::InvalidText
    };
    // A text that is no boolean is called a value, any other a string.
    let value = between(text, "Cannot cast string '", "' to value of ");
    let value = value.or_else(|| between(text, "Cannot cast value '", "' to value of "));
    match (value, between(text, "' to value of ", " type")) {
        (Some(value), Some(kind)) => {
            let text = format!("invalid input syntax for type {}: \"{value}\"", type_name(kind));
            Error::new(Reason::InvalidText, text)
        }
        // A number that its type has no room for is told by the type alone, as in PostgreSQL.
        _ if reason == Reason::OutOfRange => match text.rsplit(' ').next().map(type_name) {
            Some(name @ ("smallint" | "integer" | "bigint")) => Error::new(reason, format!("{name} out of range")),
            _ => Error::new(reason, text.to_owned()),
        },
        _ => Error::new(reason, text.to_owned()),
    }
}

/// The name that PostgreSQL gives to what the engine calls by its Arrow name.
fn type_name(arrow: &str) -> &str {
    match arrow {
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Boolean" => "boolean",
        "Date32" | "Date" => "date",
        "Utf8" | "LargeUtf8" | "Utf8View" | "String" => "text",
        "Binary" | "LargeBinary" | "BinaryView" => "bytea",
        "Null" => "unknown",
        other if other.starts_with("Decimal") => "numeric",
        other if other.starts_with("Interval") => "interval",
        other if other.starts_with("Timestamp") && other.contains('"') => "timestamp with time zone",
        other if other.starts_with("Timestamp") => "timestamp without time zone",
        other if other.starts_with("Time") => "time without time zone",
        other => other,
    }
}

/// An operator between types that it does not know.
fn operator_failure(text: &str) -> Option<Error> {
    let shown = between(text, "Cannot coerce arithmetic expression ", " to valid types")?;
    let (left, op, right) = [" + ", " - ", " * ", " / ", " % "].iter().find_map(|op| {
        let (left, right) = shown.split_once(op)?;
        Some((left, op.trim(), right))
    })?;
    let text = format!("operator does not exist: {} {op} {}", type_name(left), type_name(right));
    Some(Error::new(Reason::UndefinedFunction, text).with_hint(CASTS_HINT))
}

/// A function of many forms, none of which takes the arguments: the engine lists what is wrong with each. One that has a
/// single form tells why itself.
fn signature_failure(text: &str) -> Option<Error> {
    let name = between(text, "Function '", "' failed to match any signature")?;
    let text = format!("function {name} does not take arguments of these types");
    Some(Error::new(Reason::UndefinedFunction, text).with_hint(CASTS_HINT))
}

const CASTS_HINT: &str = "You might need to add explicit type casts.";

fn schema_failure(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, .. } => {
            let name = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => format!("\"{}\"", field.name),
            };
            Error::new(Reason::UndefinedColumn, format!("column {name} does not exist"))
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(Reason::AmbiguousColumn, format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(Reason::AmbiguousColumn, format!("column name \"{name}\" stands twice in one relation"))
        }
    }
}

/// Planning errors come as text; the few that clients tell apart are known by how they begin.
fn plan_failure(text: &str) -> Error {
    let lower = text.to_ascii_lowercase();
    if let Some(name) = between(text, "table '", "' not found") {
        return Error::new(Reason::UndefinedTable, format!("relation \"{}\" does not exist", shown_name(name)));
    }
    // The engine's check of its own work: the text is the whole plan, which tells nothing to who wrote the statement.
    if lower.starts_with("plan: [") {
        tracing::error!(plan = text, "the engine made a plan that it refuses to run");
        return Error::new(Reason::Internal, "the engine has no sound plan for this statement")
            .with_hint("sort or group by a column of a sub-query instead of by an expression");
    }
    if let Some(error) = operator_failure(text).or_else(|| signature_failure(text)) {
        return error;
    }
    if lower.contains("non-boolean predicate") {
        return Error::new(Reason::DatatypeMismatch, "argument of WHERE must be type boolean");
    }
    if lower.starts_with("invalid function") {
        let name = between(text, "'", "'").unwrap_or("?");
        return Error::new(Reason::UndefinedFunction, format!("function {name} does not exist"));
    }
    if lower.contains("failed to resolve schema") || lower.contains("schema not found") {
        return Error::new(Reason::UndefinedSchema, text.to_owned());
    }
    let reason = if lower.contains("must be in group by") || lower.contains("must appear in the group by") {
        Reason::Grouping
    } else if lower.contains("no function matches") || lower.contains("does not support") {
        Reason::UndefinedFunction
    } else if lower.contains("cannot coerce") || lower.contains("cannot infer common") {
        Reason::DatatypeMismatch
    } else {
        Reason::Syntax
    };
    Error::new(reason, first_line(text))
}

fn execution_failure(text: &str) -> Error {
    if let Some(error) = regex_failure(text) {
        return error;
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("more than one row") || lower.contains("scalar subquery") {
        return Error::new(Reason::Cardinality, "more than one row returned by a subquery used as an expression");
    }
    if lower.contains("divide by zero") {
        return Error::new(Reason::DivisionByZero, "division by zero");
    }
    Error::new(Reason::InvalidParameter, text.to_owned())
}

/// The name as the user wrote it: without our catalog and the schema that stands for the search path.
fn shown_name(name: &str) -> &str {
    let name = name.strip_prefix("henna.").unwrap_or(name);
    name.strip_prefix(super::names::SEARCH_PATH).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    let end = text[start..].find(after)?;
    Some(&text[start..start + end])
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
