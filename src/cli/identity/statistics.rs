//! How many persons, identifiers and merges a lake has, and what looks wrong among them.

use crate::cli::output::{Format, write_rows};
use crate::error::Result;
use crate::query::{ADMIN, Answer, Lake};

/// More identifiers than a person usually has.
pub const MANY: u64 = 10;
/// Persons that are named.
const LARGEST: usize = 10;

pub async fn run(lake: &Lake, more_than: u64) -> Result<()> {
    let identifiers = r"SELECT one_id, count(*) AS identifiers, count(DISTINCT id_type) AS types FROM identities
        WHERE id_type NOT LIKE '\_%' GROUP BY one_id";
    let questions = [
        format!(
            "SELECT count(*) AS persons, coalesce(sum(identifiers), 0) AS identifiers,
                    (SELECT count(*) FROM identities WHERE id_type = '_merged' AND id_value <> one_id::text) AS merges,
                    count(*) FILTER (WHERE identifiers > {more_than}) AS persons_with_more_than_{more_than}
             FROM ({identifiers}) AS persons"
        ),
        r"SELECT coalesce(i.id_type, c.id_type) AS id_type, coalesce(i.identifiers, 0) AS identifiers,
                  coalesce(i.persons, 0) AS persons, coalesce(c.shared, 0) AS shared FROM
            (SELECT id_type, count(*) AS identifiers, count(DISTINCT one_id) AS persons FROM identities
             WHERE id_type NOT LIKE '\_%' GROUP BY id_type) AS i
          FULL JOIN (SELECT id_type, count(*) AS shared FROM henna.identity_conflicts GROUP BY id_type) AS c
            ON c.id_type = i.id_type
          ORDER BY 2 DESC, 1"
            .to_owned(),
        format!(
            "SELECT one_id AS largest, identifiers, types FROM ({identifiers}) AS persons ORDER BY 2 DESC, 1 LIMIT {LARGEST}"
        ),
    ];
    let session = lake.session(lake.principal(ADMIN)?).await?;
    for question in questions {
        for statement in &session.parse(&question)? {
            let prepared = session.prepare(statement, &[]).await?;
            if let Answer::Rows { stream, schema, guard, .. } = session.run(&prepared, Vec::new()).await? {
                guard.run(write_rows(stream, schema, Format::Table)).await??;
            }
        }
        println!();
    }
    Ok(())
}
