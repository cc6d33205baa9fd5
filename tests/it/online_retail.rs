//! Real input with answers from elsewhere: UCI Online Retail through its source mapping, and the CDNOW sample.

use std::path::Path;

use super::support::{folder, henna, outside, ran};

/// A CSV text as cells; the files here quote nothing.
fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Equal as numbers where both are, else as text.
#[track_caller]
fn same(got: &str, wanted: &str, what: &str) {
    match (got.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(left), Ok(right)) => {
            assert!((left - right).abs() <= 1e-9 * right.abs(), "{what}: got {got}, expected {wanted}")
        }
        _ => assert_eq!(got, wanted, "{what}"),
    }
}

fn csv(lake: &Path, arguments: &[&str]) -> Vec<Vec<String>> {
    cells(&ran(henna(lake).args(["sql", "--format", "csv"]).args(arguments)).ok().out)
}

#[test]
fn online_retail_gives_the_published_profile_and_segments() {
    let Some(data) = outside("HENNA_TEST_DATA", "UCI Online Retail") else { return };
    let data = data.join("online_retail");
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    for table in ["orders", "order_items"] {
        let file = data.join("online_retail.parquet");
        ran(henna(&lake).args(["load", table, "--source", "online_retail"]).arg(file)).ok();
    }
    let queries = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/online_retail");
    let query = |name: &str| csv(&lake, &["-f", &queries.join(name).to_string_lossy()]);
    let expected = |name: &str| cells(&std::fs::read_to_string(data.join(name)).unwrap());

    let (got, wanted) = (query("rfm_segments.sql"), expected("expected_rfm_segments.csv"));
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(&wanted) {
        for (got_cell, wanted_cell) in got.iter().zip(wanted) {
            same(got_cell, wanted_cell, &wanted[0]);
        }
    }

    let got = query("profile.sql");
    for fact in &expected("expected_profile.csv")[1..] {
        let column = got[0].iter().position(|name| *name == fact[0]).unwrap_or_else(|| panic!("no column {}", fact[0]));
        // A time is printed with its offset; the published one has none.
        let value = got[1][column].split('+').next().unwrap_or_default().trim_end_matches('Z').replace('T', " ");
        same(&value, &fact[1], &fact[0]);
    }

    let now = "SET TimeZone = 'Europe/London'; SET henna.as_of = '2011-12-10'; ";
    let mart =
        csv(&lake, &["-c", &format!("{now}SELECT count(*) AS customers, sum(monetary) AS monetary FROM mart.rfm")]);
    let wanted = expected("expected_rfm_segments.csv");
    let customers: u64 = wanted[1..].iter().map(|row| row[1].parse::<u64>().unwrap()).sum();
    assert_eq!(mart[1][0], customers.to_string());
    // The mart adds up invoices in pence, the published total adds up lines of a tenth of a penny.
    let monetary: f64 = wanted[1..].iter().map(|row| row[2].parse::<f64>().unwrap()).sum();
    let got: f64 = mart[1][1].parse().unwrap();
    assert!((got - monetary).abs() < 1.0, "monetary total {got}, published {monetary}");
    ran(henna(&lake).arg("check")).ok();
}

#[test]
fn cdnow_gives_the_published_parameters_in_sql() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("udfs/tests/data/cdnow/CDNOW_sample.txt");
    let folder = folder();
    let dataset = folder.path().join("cdnow");
    std::fs::create_dir_all(dataset.join("tables")).unwrap();
    let table = "CREATE TABLE purchases (line integer PRIMARY KEY, customer integer NOT NULL, day date NOT NULL, amount numeric(18, 2) NOT NULL);\n";
    std::fs::write(dataset.join("tables/purchases.sql"), table).unwrap();
    let mut csv_text = "line,customer,day,amount\n".to_owned();
    for (line, text) in std::fs::read_to_string(sample).unwrap().lines().enumerate() {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (year, month, day) = (&words[2][..4], &words[2][4..6], &words[2][6..]);
        csv_text.push_str(&format!("{line},{},{year}-{month}-{day},{}\n", words[1], words[4]));
    }
    let file = folder.path().join("purchases.csv");
    std::fs::write(&file, csv_text).unwrap();
    let lake = folder.path().join("lake");
    ran(henna(&lake).args(["init", "--dataset"]).arg(&dataset)).ok();
    ran(henna(&lake).args(["load", "purchases"]).arg(&file)).ok();
    let sql = "SELECT round(p['r'], 3) AS r, round(p['alpha'], 3) AS alpha, round(p['a'], 3) AS a, round(p['b'], 3) AS b, round(p['loglik'], 1) AS ll
        FROM (SELECT bgnbd_fit(s['frequency'], s['recency'], s['t']) AS p
              FROM (SELECT rfm_summary(day, amount, DATE '1997-09-30', 'week') AS s FROM purchases GROUP BY customer) AS summaries) AS fits";
    // Fader, Hardie and Lee (2005), table 2.
    let published = ["0.243", "4.414", "0.793", "2.426", "-9582.4"];
    for (got, wanted) in csv(&lake, &["-c", sql])[1].iter().zip(published) {
        same(got, wanted, "CDNOW");
    }
}
