//! `henna demo`: a sample brand through the real load path, served. A second run serves the lake that the first made.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::init::generated_password;
use super::load::{Progress, load_file};
use super::serve::{Doors, ServeArgs};
use crate::config::Config;
use crate::dataset::{Dataset, write_samples};
use crate::error::{Error, Reason, Result};
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
    greet(&doors, config);
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
    let files = write_samples(lake.dataset(), folder.path(), permille).await?;
    for file in files {
        let report = load_file(lake, &file.table, &file.path, Progress::Bar).await?;
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

fn greet(doors: &Doors, config: &Config) {
    let (host, port) = (doors.address.ip(), doors.address.port());
    println!("\nHenna serves the sample brand. Each team sees its own rows:\n");
    for (user, who) in [
        ("hq", "headquarters: every row"),
        ("tmall", "the Tmall team"),
        ("douyin", "the Douyin team"),
        ("wecom", "the private-domain team"),
        ("store001", "the manager of store S001"),
        ("guide001", "shopping guide G001: her customers"),
    ] {
        println!("  PGPASSWORD=henna-demo psql -h {host} -p {port} -U {user:<9} henna   # {who}");
    }
    println!("\n  then, for example:  SELECT segment, count(*) FROM mart.rfm GROUP BY 1 ORDER BY 2 DESC;");
    if config.web != "off" {
        println!("  boards in the browser: http://{}   (the same users)", config.web);
    }
    println!("\nCtrl-C ends it.");
}
