//! `henna config`: the effective settings, and where each comes from.

use crate::config::Layers;

pub fn run(layers: &Layers) {
    let rows: Vec<_> = layers.rows().collect();
    let width = |pick: fn(&(&str, String, crate::config::Origin)) -> usize| rows.iter().map(pick).max().unwrap_or(0);
    let (names, values) = (width(|row| row.0.len()), width(|row| row.1.len()));
    for (name, value, origin) in &rows {
        println!("{name:names$}  {value:values$}  {origin}");
    }
}
