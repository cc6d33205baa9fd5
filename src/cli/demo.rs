//! `henna demo`: a sample brand through the real load path, served. A second run serves the lake that the first made.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::init::generated_password;
use super::load::load;
use super::serve::{Doors, ServeArgs};
use crate::config::Config;
use crate::dataset::{Dataset, write_samples};
use crate::error::{Error, Reason, Result};
use crate::ingest::LoadRequest;
use crate::query::{ADMIN, Lake};

/// The mark that the sample is loaded and its users are made.
const MARK: &str = "demo.json";
/// The sample's size at `--scale 1`.
const PERMILLE: f64 = 1000.0;

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Size of the sample brand; 1 is about 100,000 orders
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    scale: f64,
    #[command(flatten)]
    pub serve: ServeArgs,
}

pub async fn run(args: DemoArgs, config: &Config) -> Result<ExitCode> {
    let doors = Doors::open(config).await?;
    if !doors.address.ip().is_loopback() {
        let text = format!("the demo's passwords are public: it serves loopback addresses only, not {}", doors.address);
        return Err(Error::new(Reason::Configuration, text));
    }
    let lake = lake(&args, config).await?;
    greet(&lake, &doors);
    doors.serve(lake, config).await
}

/// The demo's lake: made, taken up where a first run was cut off, or as it is.
async fn lake(args: &DemoArgs, config: &Config) -> Result<Lake> {
    let exists = Path::new(&config.lake).exists();
    let lake = if exists {
        Lake::open_with(&config.lake, super::limits(config)).await?
    } else {
        let password = std::env::var("HENNA_ADMIN_PASSWORD").unwrap_or_else(|_| generated_password());
        let lake = Lake::found(&config.lake, &Dataset::shipped("retail")?, &password, super::limits(config)).await?;
        println!("made the lake {}; user {ADMIN}, password {password}", config.lake);
        lake
    };
    if lake.store().get(MARK).await?.is_some() {
        println!("the lake {} holds the sample brand already", config.lake);
        return Ok(lake);
    }
    fill(&lake, permille(args.scale)?).await?;
    Ok(lake)
}

fn permille(scale: f64) -> Result<u32> {
    let permille = (scale * PERMILLE).round();
    if !(1.0..=1_000_000.0).contains(&permille) {
        let text = format!("--scale must lie between 0.001 and 1000, got {scale}");
        return Err(Error::new(Reason::InvalidParameter, text));
    }
    Ok(permille as u32)
}

async fn fill(lake: &Lake, permille: u32) -> Result<()> {
    let started = Instant::now();
    let folder = tempfile::tempdir().map_err(|error| Error::of(Reason::Io, error))?;
    println!("making the sample brand's files ...");
    let files = write_samples(&lake.dataset(), folder.path(), permille).await?;
    for file in files {
        let request = LoadRequest::new(file.table.as_str(), vec![file.path.to_string_lossy().into_owned()]);
        let report = load(lake, request).await?;
        println!(
            "  {:<14} {:>9} rows from {}",
            file.table,
            report.rows_added + report.rows_updated,
            file.path.file_name().unwrap_or_default().to_string_lossy()
        );
    }
    if let Some(sql) = &lake.dataset().demo_sql {
        let session = lake.session(lake.security().bootstrap_principal()).await?;
        session.run_script("demo.sql", sql).await?;
    }
    lake.store().put(MARK, format!("{{\"permille\":{permille}}}\n").into()).await?;
    println!("loaded in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What the dataset's demo.sql has to say to whoever started it, in its lines `-- say: TEXT`.
fn greet(lake: &Lake, doors: &Doors) {
    let dataset = lake.dataset();
    let script = dataset.demo_sql.as_deref().unwrap_or_default();
    println!();
    for text in script.lines().filter_map(|line| line.strip_prefix("-- say:")) {
        let host = text.replace("{host}", &doors.address.ip().to_string());
        println!("{}", host.replace("{port}", &doors.address.port().to_string()));
    }
    if let Some(web) = doors.web_address {
        println!("\n  boards in the browser: http://{web}   (the same users)");
    }
    println!("\nCtrl-C ends it.");
}
