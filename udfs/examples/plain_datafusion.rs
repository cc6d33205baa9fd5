//! The functions in a plain DataFusion program: `cargo run -p henna-udfs --example plain_datafusion`.

use datafusion::error::Result;
use datafusion::prelude::SessionContext;

#[tokio::main]
async fn main() -> Result<()> {
    let mut session = SessionContext::new();
    henna_udfs::register_all(&mut session)?;
    let customers = "
        WITH orders(customer, paid_at, amount) AS (VALUES
            ('ann', TIMESTAMP '2024-03-01 10:00:00', 120.0), ('ann', TIMESTAMP '2024-04-02 18:30:00', 80.0), ('ann', TIMESTAMP '2024-05-05 09:00:00', 95.0),
            ('bob', TIMESTAMP '2024-01-10 12:00:00', 20.0), ('eve', TIMESTAMP '2024-05-30 20:00:00', 45.0)),
        customers AS (SELECT customer, rfm(paid_at, amount, DATE '2024-06-01') AS rfm, repurchase_cycle(paid_at) AS cycle FROM orders GROUP BY customer)
        SELECT customer, rfm['recency_days'] AS recency_days, rfm['frequency'] AS frequency, rfm['monetary'] AS monetary,
            churn_level(churn_risk(cycle['n_gaps'], coalesce(cycle['n_gaps'] * cycle['mean_days'], 0), rfm['recency_days'])) AS level
        FROM customers ORDER BY customer";
    session.sql(customers).await?.show().await
}
