//! One world: a guarded lake with policies and masks, and for each of its roles two lakes that hold only what that role may
//! see, an open one and one with all the roles, policies and masks of the guarded one. All rows come in through the load
//! path, all answers out of a [`Session`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;

use super::dice::Dice;
use super::rules::{ROLES, Rules};
use super::table::{Table, secrets};
use super::writer::Source;
use crate::access::Verifier;
use crate::dataset::{Dataset, DatasetFile};
use crate::error::{Error, Reason, Result};
use crate::ingest::{LoadRequest, Loader, OnReject};
use crate::query::{ADMIN, Answer, Lake, Limits, Prepared, Session, failure};

/// Rows as text, after a first one with the types of the columns.
pub type Rows = Vec<Vec<String>>;

/// Cells as CSV has them; None is NULL.
type Row = Vec<Option<String>>;
type Chunks = Vec<Vec<Row>>;

/// What a client is told of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub text: String,
}

pub type Told = std::result::Result<Rows, Refusal>;

/// The sessions that answer for one role.
pub struct Seat {
    pub role: String,
    /// The role itself, behind the wall.
    pub guarded: Session,
    /// A role without policies and masks in a lake that holds only what the role may see.
    pub bare: Session,
    /// The role itself in a lake with the same rights, policies and masks, from which the hidden rows were deleted before
    /// they were loaded: the very plans of the guarded lake. Masked cells hold what the mask shows, where that changes
    /// nothing else.
    pub trimmed: Session,
    pub sources: Vec<Source>,
    /// Every column, whether granted or not.
    pub trespass: Vec<Source>,
    /// The texts of the cells that the role may see, and the secrets in them.
    pub cells: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
    number: usize,
    zone: &'static str,
    /// The rows that the role may see, table by table.
    visible: Vec<Vec<Row>>,
}

pub struct World {
    pub tables: Vec<Table>,
    /// The rows of each table by the files that they were loaded from.
    chunks: Vec<Chunks>,
    pub rules: Rules,
    pub lake: Lake,
    pub seats: Vec<Seat>,
}

const TABLES: [usize; 4] = [2, 2, 3, 3];
/// Those of the lake, of China, and the earliest and one of the latest.
const ZONES: [&str; 4] = ["UTC", "Asia/Shanghai", "Pacific/Kiritimati", "America/Adak"];
const QUERY_MEMORY_BYTES: usize = 256 << 20;

impl World {
    pub async fn random(dice: &mut Dice) -> Result<Self> {
        let tables: Vec<Table> = (0..*dice.pick(&TABLES)).map(|number| Table::random(dice, number)).collect();
        let rules = Rules::random(dice, &tables);
        let mut chunks = Vec::new();
        for table in &tables {
            // Several files, so that some hold hidden rows alone.
            let parts = usize::try_from(dice.between(1, 3)).unwrap_or(1);
            chunks.push(table.rows.chunks(table.rows.len().div_ceil(parts)).map(<[Row]>::to_vec).collect());
        }
        let lake = walled_lake(&tables, &chunks, &rules).await?;
        let mut world = Self { tables, chunks, rules, lake, seats: Vec::new() };
        for role in 0..ROLES {
            let zone = *dice.pick(&ZONES);
            let seat = world.seat(role, zone).await?;
            world.seats.push(seat);
        }
        Ok(world)
    }

    async fn seat(&self, role: usize, zone: &'static str) -> Result<Seat> {
        let admin = self.lake.session(self.lake.principal(ADMIN)?).await?;
        let visible = self.visible(&admin, role).await?;
        let bare = self.open_lake(&visible, role).await?;
        let name = self.rules.roles[role].name.clone();
        let sources = |trespass: bool| {
            let source = |(number, table): (usize, &Table)| {
                let readable = self.rules.readable(table, number, role);
                let columns =
                    table.columns.iter().filter(|column| trespass || readable.iter().any(|r| r.name == column.name));
                Source {
                    name: table.name.clone(),
                    columns: columns.map(|column| (column.name.clone(), column.kind)).collect(),
                }
            };
            self.tables.iter().enumerate().map(source).collect::<Vec<_>>()
        };
        let trimmed = self.trimmed(&visible, role).await?;
        let cells: BTreeSet<String> = visible.iter().flatten().flatten().flatten().cloned().collect();
        Ok(Seat {
            trimmed: session(&trimmed, &name, zone).await?,
            guarded: session(&self.lake, &name, zone).await?,
            bare: session(&bare, "bare", zone).await?,
            sources: sources(false),
            trespass: sources(true),
            secrets: cells.iter().flat_map(|cell| secrets(cell)).map(str::to_owned).collect(),
            cells,
            role: name,
            number: role,
            zone,
            visible,
        })
    }

    /// What a role may see of each table, as the rules say it in plain SQL, asked by someone whom nothing binds.
    async fn visible(&self, admin: &Session, role: usize) -> Result<Vec<Vec<Row>>> {
        let mut visible = Vec::new();
        for number in 0..self.tables.len() {
            let sql = self.rules.visible_sql(&self.tables, number, role);
            let told = rows(admin, &sql).await;
            visible.push(told.map_err(|error| Error::new(error.reason(), format!("{sql}: {error}")))?);
        }
        Ok(visible)
    }

    /// The guarded lake anew, from files without the rows that are hidden from the role. A masked cell holds what the mask
    /// makes of it, so that nothing can tell of what was below; where a mask is not the same done twice, or a policy reads
    /// the column, it holds what it did.
    async fn trimmed(&self, visible: &[Vec<Row>], role: usize) -> Result<Lake> {
        for masked in [true, false] {
            let chunks: Vec<Chunks> =
                self.chunks.iter().zip(visible).map(|(all, seen)| kept(all, seen, masked)).collect();
            let lake = walled_lake(&self.tables, &chunks, &self.rules).await?;
            let admin = lake.session(lake.principal(ADMIN)?).await?;
            let again = self.visible(&admin, role).await?;
            if again.iter().zip(visible).all(|(again, visible)| sorted(again) == sorted(visible)) {
                return Ok(lake);
            }
        }
        Err(Error::new(Reason::Internal, "a lake without hidden rows shows other rows"))
    }

    /// The session of [`Seat::trimmed`] in another lake of the same files.
    pub async fn trimmed_anew(&self, seat: &Seat) -> Result<Session> {
        session(&self.trimmed(&seat.visible, seat.number).await?, &seat.role, seat.zone).await
    }

    /// Whether the statement fails like this where one of its tables has one of its visible rows, and no other.
    pub async fn fails_on_a_visible_row(&self, seat: &Seat, sql: &str, refusal: &Refusal) -> Result<bool> {
        for number in (0..self.tables.len()).filter(|number| sql.contains(&self.tables[*number].name)) {
            for row in &seat.visible[number] {
                let mut visible = seat.visible.clone();
                visible[number] = vec![row.clone()];
                let lake = self.open_lake(&visible, seat.number).await?;
                if ask(&session(&lake, "bare", seat.zone).await?, sql).await.as_ref() == Err(refusal) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A lake with these rows and no wall, and in it the grants of the role for `bare`.
    async fn open_lake(&self, rows: &[Vec<Row>], role: usize) -> Result<Lake> {
        let lake = found(&self.tables).await?;
        for (table, rows) in self.tables.iter().zip(rows) {
            load(&lake, table, rows).await?;
        }
        run(&lake, &self.open_script(role)).await?;
        Ok(lake)
    }

    /// In the open lake of what one role may see: that role's grants.
    fn open_script(&self, role: usize) -> Vec<String> {
        let grant = |(number, table): (usize, &Table)| {
            let columns: Vec<&str> =
                self.rules.readable(table, number, role).iter().map(|column| column.name.as_str()).collect();
            let whole = self.rules.grants_whole(number, role);
            let columns = if whole { String::new() } else { format!(" ({})", columns.join(", ")) };
            format!("GRANT SELECT{columns} ON {} TO bare", table.name)
        };
        let grants = self.tables.iter().enumerate().map(grant);
        std::iter::once("CREATE USER bare".to_owned()).chain(grants).collect()
    }
}

/// The tables, and the statements that make roles and rights.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "{};\n{}", table.create_sql(), table.csv(&table.rows))?;
        }
        self.rules.script(&self.tables).iter().try_for_each(|statement| writeln!(f, "{statement};"))
    }
}

async fn found(tables: &[Table]) -> Result<Lake> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let root = format!("memory://fuzz-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let file = |path: String, text: String| DatasetFile { path, bytes: text.into_bytes() };
    let mut files = vec![file("dataset.toml".into(), tables.iter().map(Table::layout).collect())];
    files.extend(tables.iter().map(|table| file(format!("tables/{}.sql", table.name), table.create_sql())));
    let limits = Limits { memory_bytes: Some(QUERY_MEMORY_BYTES), threads: 1, ..Limits::default() };
    // A ready verifier: nobody logs in here, and hashing a password is slow on purpose.
    let password = Verifier::salted(b"unused", b"salt", 1).to_string();
    Lake::found(&root, &Dataset::parse("fuzz", files)?, &password, limits).await
}

/// A lake with all rows of all chunks, each from a file of its own, behind the wall of the rules.
async fn walled_lake(tables: &[Table], chunks: &[Chunks], rules: &Rules) -> Result<Lake> {
    let lake = found(tables).await?;
    for (table, chunks) in tables.iter().zip(chunks) {
        for rows in chunks {
            load(&lake, table, rows).await?;
        }
    }
    run(&lake, &rules.script(tables)).await?;
    Ok(lake)
}

/// The rows whose first cell, which no mask covers, is that of a row that is seen; as they are or as they are seen.
fn kept(all: &[Vec<Row>], seen: &[Row], as_seen: bool) -> Chunks {
    let seen: BTreeMap<&Option<String>, &Row> = seen.iter().map(|row| (&row[0], row)).collect();
    let kept = |row: &Row| seen.get(&row[0]).map(|shown| if as_seen { (*shown).clone() } else { row.clone() });
    all.iter().map(|rows| rows.iter().filter_map(kept).collect()).collect()
}

fn sorted(rows: &[Row]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort();
    rows
}

async fn load(lake: &Lake, table: &Table, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|error| Error::of(Reason::Io, error))?;
    let path = folder.path().join(format!("{}.csv", table.name));
    std::fs::write(&path, table.csv(rows)).map_err(|error| Error::of(Reason::Io, error))?;
    let request =
        LoadRequest { on_reject: OnReject::Stop, ..LoadRequest::new(&table.name, vec![path.display().to_string()]) };
    let report = Loader::new(lake.store().clone(), lake.dataset()).load(request).await?;
    assert_eq!(report.rows_added, rows.len() as u64, "{}", table.name);
    Ok(())
}

async fn session(lake: &Lake, role: &str, zone: &str) -> Result<Session> {
    let session = lake.session(lake.principal(role)?).await?;
    let set = format!("SET TIME ZONE '{zone}'");
    session.run_script(&set, &set).await?;
    Ok(session)
}

async fn run(lake: &Lake, script: &[String]) -> Result<()> {
    let admin = lake.session(lake.principal(ADMIN)?).await?;
    for statement in script {
        admin.run_script(statement, statement).await?;
    }
    Ok(())
}

/// The answer to one statement.
pub async fn ask(session: &Session, sql: &str) -> Told {
    let answer = async {
        let (types, batches) = batches(session, sql).await?;
        let rows = batches.iter().map(|batch| texts(batch, "NULL")).collect::<Result<Vec<_>>>()?;
        Ok::<Rows, Error>(
            std::iter::once(types)
                .chain(rows.into_iter().flatten().map(|row| row.into_iter().flatten().collect()))
                .collect(),
        )
    };
    answer.await.map_err(|error: Error| Refusal { reason: error.reason(), text: told(&error) })
}

fn told(error: &Error) -> String {
    let parts = [Some(error.to_string()), error.detail().map(str::to_owned), error.hint().map(str::to_owned)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
}

/// Rows of a query that must succeed, as CSV cells.
async fn rows(session: &Session, sql: &str) -> Result<Vec<Row>> {
    let (_, batches) = batches(session, sql).await?;
    let rows = batches.iter().map(|batch| texts(batch, "")).collect::<Result<Vec<_>>>()?;
    Ok(rows.into_iter().flatten().collect())
}

async fn batches(session: &Session, sql: &str) -> Result<(Vec<String>, Vec<RecordBatch>)> {
    let [statement] = &session.parse(sql)?[..] else { return Err(Error::new(Reason::Syntax, "one statement")) };
    // What Parse would find out is found out again by Execute: half of the planning is saved.
    let prepared = Arc::new(Prepared::undescribed(statement));
    let Answer::Rows { schema, stream, guard, .. } = session.run(&prepared, Vec::new()).await? else {
        return Err(Error::new(Reason::Syntax, "a query"));
    };
    let types = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    Ok((types, guard.run(stream.try_collect::<Vec<_>>()).await?.map_err(failure)?))
}

/// Cells as text; a null is `null` if that says something, else None.
fn texts(batch: &RecordBatch, null: &str) -> Result<Vec<Row>> {
    let options = FormatOptions::default().with_null(null);
    let failed = |error| Error::of(Reason::Internal, error);
    let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let formatters = formatters.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let cell = |column: usize, row| {
        let shown = !null.is_empty() || batch.column(column).is_valid(row);
        shown.then(|| formatters[column].value(row).to_string())
    };
    Ok((0..batch.num_rows()).map(|row| (0..formatters.len()).map(|column| cell(column, row)).collect()).collect())
}
