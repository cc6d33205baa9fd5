//! Every function documents itself, and its example runs.

use std::collections::BTreeMap;
use std::fmt::Write;

use datafusion::logical_expr::{Documentation, Volatility};

use super::support::session;

fn documented() -> Vec<(String, Option<Documentation>, Volatility)> {
    let scalars = henna_udfs::scalar_functions()
        .into_iter()
        .map(|f| (f.name().to_owned(), f.documentation().cloned(), f.signature().volatility));
    let aggregates = henna_udfs::aggregate_functions()
        .into_iter()
        .map(|f| (f.name().to_owned(), f.documentation().cloned(), f.signature().volatility));
    let windows = henna_udfs::window_functions()
        .into_iter()
        .map(|f| (f.name().to_owned(), f.documentation().cloned(), f.signature().volatility));
    scalars.chain(aggregates).chain(windows).collect()
}

#[test]
fn every_function_is_immutable_and_names_syntax_arguments_example_and_source() {
    for (name, documentation, volatility) in documented() {
        let documentation = documentation.unwrap_or_else(|| panic!("{name} is not documented"));
        assert_eq!(volatility, Volatility::Immutable, "{name}");
        assert!(documentation.syntax_example.starts_with(&format!("{name}(")), "{name}");
        assert!(documentation.sql_example.is_some_and(|example| example.contains(&name)), "{name}");
        assert!(documentation.description.contains("Source: "), "{name} names no source");
        for (argument, meaning) in documentation.arguments.unwrap() {
            assert!(documentation.syntax_example.contains(&argument) && meaning.ends_with('.'), "{name}: {argument}");
        }
    }
}

#[tokio::test]
async fn every_example_runs() {
    let session = session();
    for table in [
        "CREATE TABLE orders AS SELECT 1 AS one_id, 7 AS order_id, TIMESTAMP '2011-01-01 00:00:00' AS paid_at, CAST(5 AS DECIMAL(18, 2)) AS amount",
        "CREATE TABLE touches AS SELECT 1 AS one_id, TIMESTAMP '2010-12-31 00:00:00' AS touched_at, 'ads' AS channel",
        "CREATE TABLE rfm_of_customers AS SELECT 1 AS one_id, 5 AS recency_days",
        "CREATE TABLE scores AS SELECT 5 AS r, 5 AS f, 5 AS m",
        "CREATE TABLE channel_days AS SELECT 'ads' AS channel, 5 AS revenue, 4 AS cost, 3 AS new_customers",
    ] {
        session.sql(table).await.unwrap().collect().await.unwrap();
    }
    for (name, documentation, _) in documented() {
        let example = documentation.unwrap().sql_example.unwrap();
        let sql = example.trim_start_matches("```sql\n").trim_end_matches("\n```");
        let answer = session.sql(sql).await.unwrap_or_else(|error| panic!("{name}: {error}")).collect().await;
        assert!(
            answer.unwrap_or_else(|error| panic!("{name}: {error}")).iter().any(|batch| batch.num_rows() > 0),
            "{name}"
        );
    }
}

/// `udfs/FUNCTIONS.md`, as it must be.
fn reference() -> String {
    let mut sections: BTreeMap<&str, BTreeMap<String, Documentation>> = BTreeMap::new();
    for (name, documentation, _) in documented() {
        let documentation = documentation.unwrap();
        sections.entry(documentation.doc_section.label).or_default().insert(name, documentation);
    }
    let mut page = String::from(
        "# Functions\n\nMade from the functions' own documentation: `HENNA_WRITE_REFERENCE=1 cargo test -p henna-udfs --test functions reference`.\n",
    );
    for (section, functions) in sections {
        let description =
            functions.values().next().and_then(|function| function.doc_section.description).unwrap_or_default();
        write!(page, "\n## {section}\n\n{description}\n").unwrap();
        for (name, function) in functions {
            write!(page, "\n### {name}\n\n`{}`\n\n{}\n\n", function.syntax_example, text(&function.description))
                .unwrap();
            for (argument, meaning) in function.arguments.unwrap_or_default() {
                writeln!(page, "- `{argument}`: {}", text(&meaning)).unwrap();
            }
            writeln!(page, "\n{}", function.sql_example.unwrap_or_default()).unwrap();
        }
    }
    page
}

/// Types in angle brackets are no HTML.
fn text(words: &str) -> String {
    words.replace('<', "&lt;")
}

#[test]
fn the_reference_page_is_what_the_functions_say() {
    let file = format!("{}/FUNCTIONS.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HENNA_WRITE_REFERENCE").is_some() {
        std::fs::write(&file, reference()).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(page == reference(), "udfs/FUNCTIONS.md is stale: run this test with HENNA_WRITE_REFERENCE=1");
}
