//! Asks one question of Parquet files a few times: what `benches/functions.py` runs beside other programs.
//!
//! `bench FOLDER < question.sql`; each `FOLDER/name.parquet` is the table `name`. Prints the median time in milliseconds, then the answer as CSV.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::csv::WriterBuilder;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

const RUNS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let mut sql = String::new();
    std::io::stdin().read_to_string(&mut sql)?;
    let config = SessionConfig::new()
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
        .set_bool("datafusion.execution.parquet.pushdown_filters", false);
    let state = SessionStateBuilder::new_with_default_features()
        .with_config(config)
        .with_physical_optimizer_rule(Arc::new(henna_udfs::DenseGroups))
        .build();
    let mut session = SessionContext::new_with_state(state);
    henna_udfs::register_all(&mut session)?;
    for entry in std::fs::read_dir(&folder)? {
        let file = entry?.path();
        if let (Some("parquet"), Some(name)) =
            (text(file.extension().map(Path::new)), text(file.file_stem().map(Path::new)))
        {
            session.register_parquet(name, &file.to_string_lossy(), ParquetReadOptions::default()).await?;
        }
    }
    let (mut times, mut answer) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        answer = session.sql(&sql).await?.collect().await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{:.1}", times[RUNS / 2]);
    let mut writer = WriterBuilder::new().with_header(false).build(std::io::stdout());
    for batch in &answer {
        writer.write(batch)?;
    }
    Ok(())
}

fn text(path: Option<&Path>) -> Option<&str> {
    path.and_then(Path::to_str)
}
