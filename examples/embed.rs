//! Opens a lake in this process and streams a query as a role: `cargo run --example embed -- LAKE ROLE "SQL"`.

use futures::TryStreamExt;
use henna::Lake;

#[tokio::main]
async fn main() -> henna::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |fallback: &str| arguments.next().unwrap_or_else(|| fallback.to_owned());
    let (root, role) = (next("henna-lake"), next("headquarters"));
    let sql = next("SELECT segment, count(*) AS customers FROM mart.rfm GROUP BY segment ORDER BY customers DESC");

    let lake = Lake::open(&root).await?;
    // The program has proved by its own means who asks; the role's policies hold from here on.
    let session = lake.session(lake.principal(&role)?).await?;
    let mut rows = session.execute(&sql).await?;
    while let Some(batch) = rows.try_next().await.map_err(henna::query::failure)? {
        let shown = arrow::util::pretty::pretty_format_batches(&[batch]);
        println!("{}", shown.map_err(|error| henna::Error::of(henna::Reason::Internal, error))?);
    }
    Ok(())
}
