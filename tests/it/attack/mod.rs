//! Attacks from inside: `wecom`, who may log in and ask anything, tries to learn of the rows of other teams.
//!
//! Two lakes answer each question: the walled one, where policies hide rows and masks hide columns, and the bare one, which
//! holds only what `wecom` may see and has no row security. Value, error text and SQLSTATE must be equal. `twins` does the same
//! within one lake, for many policies.
//!
//! Which family of attacks is tried where, in process and over the wire, is told in SECURITY.md; `matrix` keeps that true.

mod authored;
mod columns;
mod damage;
mod differential;
mod hidden;
mod kept;
mod killed;
mod loads;
mod matrix;
mod pseudonyms;
mod refused;
mod sessions;
mod twins;
mod versions;

use std::path::Path;

use tokio::sync::OnceCell;

use super::support::{House, Refusal, Rows, folder, henna, ran};

/// What `wecom` may see of each table, told without row security. Personal columns are masked.
const VISIBLE: &[(&str, &str)] = &[
    ("orders", "SELECT * FROM orders WHERE team = 'wecom'"),
    ("order_items", "SELECT * FROM order_items WHERE team = 'wecom'"),
    ("interactions", "SELECT * FROM interactions WHERE team = 'wecom'"),
    ("channel_costs", "SELECT * FROM channel_costs WHERE team = 'wecom'"),
    (
        "customers",
        "SELECT one_id, team, store_id, owner_guide_id, source_channel, member_level, registered_at, province, city, gender, skin_type,
                CAST(NULL AS TEXT) AS nickname, CAST(NULL AS DATE) AS birth_date, CAST(NULL AS TEXT) AS phone_masked,
                consent_marketing, tags, updated_at
         FROM customers
         WHERE one_id IN (SELECT one_id FROM orders WHERE team = 'wecom') OR one_id IN (SELECT one_id FROM interactions WHERE team = 'wecom')",
    ),
];

/// The bare lake: the retail tables and marts, without roles and policies, with the visible rows.
async fn bare() -> &'static House {
    static BARE: OnceCell<House> = OnceCell::const_new();
    BARE.get_or_init(|| async {
        let walled = House::shared().await;
        let folder = folder();
        let dataset = folder.path().join("bare");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/retail");
        for (part, left_out) in [("tables", "identities"), ("marts", "identity_statistics")] {
            std::fs::create_dir_all(dataset.join(part)).unwrap();
            for entry in std::fs::read_dir(shipped.join(part)).unwrap() {
                let path = entry.unwrap().path();
                if path.file_stem().unwrap() != left_out {
                    std::fs::copy(&path, dataset.join(part).join(path.file_name().unwrap())).unwrap();
                }
            }
        }
        let settings = "name = \"bare\"\ntime_zone = \"Asia/Shanghai\"\nas_of = \"latest\"\nas_of_columns = [\"orders.order_time\", \"interactions.event_time\"]\n";
        std::fs::write(dataset.join("dataset.toml"), settings).unwrap();
        let lake = folder.path().join("lake");
        ran(henna(&lake).args(["init", "--dataset"]).arg(&dataset)).ok();
        let admin = walled.wire("admin").await;
        for (table, sql) in VISIBLE {
            let columns = admin.ask(&format!("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position")).await.unwrap();
            let mut text = csv_line(&columns.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>());
            for row in &admin.ask(sql).await.unwrap() {
                text.push_str(&csv_line(row));
            }
            let file = folder.path().join(format!("{table}.csv"));
            std::fs::write(&file, text).unwrap();
            ran(henna(&lake).args(["load", table]).arg(&file).args(["--on-reject", "stop"])).ok();
        }
        House::serve(&lake, Some(folder)).await
    })
    .await
}

/// Every value quoted, NULL empty.
fn csv_line(cells: &[Option<String>]) -> String {
    let quoted = |cell: &Option<String>| {
        cell.as_ref().map_or(String::new(), |text| format!("\"{}\"", text.replace('"', "\"\"")))
    };
    format!("{}\n", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// An answer without the order of rows that nobody asked to be sorted.
fn unordered(answer: Result<Rows, Refusal>) -> Result<Rows, Refusal> {
    answer.map(|mut rows| {
        rows.sort();
        rows
    })
}
