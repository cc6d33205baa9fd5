//! A dataset of one's own, a folder with nothing but `tables/*.sql`: what goes in comes out.

use std::path::Path;

use serde_json::Value;

use super::support::{folder, henna, outside, ran};

fn load_all(lake: &Path, clients: &Path) -> Value {
    ran(henna(lake).args(["init", "--dataset"]).arg(clients.join("dataset"))).ok();
    let facts: Value =
        serde_json::from_str(&std::fs::read_to_string(clients.join("data/facts.json")).unwrap()).unwrap();
    for table in facts["tables"].as_object().unwrap().keys() {
        let file = clients.join(format!("data/{table}.csv"));
        if file.exists() {
            ran(henna(lake).args(["load", "--json", table]).arg(&file)).ok();
        }
    }
    facts
}

fn csv(lake: &Path, sql: &str) -> Vec<String> {
    let told = ran(henna(lake).args(["sql", "--format", "csv", "-c", sql])).ok().out;
    told.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_folder_of_tables_takes_its_files_and_counts_as_python_did() {
    let Some(clients) = outside("HENNA_CLIENTS_DIR", "custom dataset") else { return };
    let folder = folder();
    let lake = folder.path().join("lake");
    let facts = load_all(&lake, &clients);
    for (table, rows) in facts["tables"].as_object().unwrap() {
        assert_eq!(csv(&lake, &format!("SELECT count(*) FROM {table}")), [rows.to_string()], "{table}");
    }
    let sums = csv(&lake, "SELECT sum(total_amount), sum(discount), count(*) - count(discount) FROM orders");
    let text = |key: &str| facts[key].as_str().map_or_else(|| facts[key].to_string(), str::to_owned);
    assert_eq!(sums, [format!("{},{},{}", text("sum_total_amount"), text("sum_discount"), text("null_discount"))]);
    assert_eq!(csv(&lake, "SELECT sum(lifetime_points) FROM customers"), [text("sum_points")]);
    let (tagged, vip) = (
        facts["tagged_vip"].as_array().unwrap(),
        "SELECT customer_id FROM customers WHERE 'vip' = ANY(tags) ORDER BY 1",
    );
    assert_eq!(csv(&lake, vip), tagged.iter().map(Value::to_string).collect::<Vec<_>>());
    for (status, fact) in facts["orders_by_status"].as_object().unwrap() {
        let sql = format!("SELECT count(*), sum(total_amount) FROM orders WHERE status = '{status}'");
        assert_eq!(csv(&lake, &sql), [format!("{},{}", fact[0], fact[1].as_str().unwrap())], "{status}");
    }
    ran(henna(&lake).arg("check")).ok();
}
