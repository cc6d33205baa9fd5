//! One world: a guarded lake with policies and masks, and for each of its roles a lake that holds only what that role may
//! see. All rows come in through the load path, all answers out of a [`Session`].

use std::collections::BTreeSet;
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
    /// A role in that same lake whose policies and masks hide nothing: the same kind of plan, with nothing to tell of.
    pub walled: Session,
    pub sources: Vec<Source>,
    /// Every column, whether granted or not.
    pub trespass: Vec<Source>,
    /// The texts of the cells that the role may see, and the secrets in them.
    pub cells: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
}

pub struct World {
    pub tables: Vec<Table>,
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
        let lake = found(&tables).await?;
        for table in &tables {
            // Several files, so that some hold hidden rows alone.
            let parts = usize::try_from(dice.between(1, 3)).unwrap_or(1);
            for rows in table.rows.chunks(table.rows.len().div_ceil(parts)) {
                load(&lake, table, rows).await?;
            }
        }
        run(&lake, &rules.script(&tables)).await?;
        let mut world = Self { tables, rules, lake, seats: Vec::new() };
        for role in 0..ROLES {
            let zone = *dice.pick(&ZONES);
            let seat = world.seat(role, zone).await?;
            world.seats.push(seat);
        }
        Ok(world)
    }

    async fn seat(&self, role: usize, zone: &str) -> Result<Seat> {
        let admin = self.lake.session(self.lake.principal(ADMIN)?).await?;
        let bare = found(&self.tables).await?;
        let mut cells = BTreeSet::new();
        for (number, table) in self.tables.iter().enumerate() {
            let sql = self.rules.visible_sql(&self.tables, number, role);
            let visible =
                rows(&admin, &sql).await.map_err(|error| Error::new(error.reason(), format!("{sql}: {error}")))?;
            if !visible.is_empty() {
                load(&bare, table, &visible).await?;
            }
            cells.extend(visible.into_iter().flatten().flatten());
        }
        run(&bare, &self.open_script(role)).await?;
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
        Ok(Seat {
            guarded: session(&self.lake, &name, zone).await?,
            bare: session(&bare, "bare", zone).await?,
            walled: session(&bare, "walled", zone).await?,
            sources: sources(false),
            trespass: sources(true),
            secrets: cells.iter().flat_map(|cell| secrets(cell)).map(str::to_owned).collect(),
            cells,
            role: name,
        })
    }

    /// In the lake of what one role may see: that role's grants, and for `walled` a wall wherever the role has one. Its
    /// conditions hold for every row, and the engine does not know it.
    fn open_script(&self, role: usize) -> Vec<String> {
        let mut script = vec!["CREATE USER bare".to_owned(), "CREATE USER walled".to_owned()];
        for (number, table) in self.tables.iter().enumerate() {
            let name = &table.name;
            let columns: Vec<&str> =
                self.rules.readable(table, number, role).iter().map(|column| column.name.as_str()).collect();
            let columns = if self.rules.grants_whole(number, role) {
                String::new()
            } else {
                format!(" ({})", columns.join(", "))
            };
            script.push(format!("GRANT SELECT{columns} ON {name} TO bare, walled"));
            if self.rules.is_policed(number) {
                script.push(format!("CREATE POLICY bare ON {name} TO bare USING (true)"));
                script.push(format!("CREATE POLICY walled ON {name} TO walled USING (id > -1)"));
                script.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
            }
            for column in self.rules.masked(number) {
                let column = &table.columns[column].name;
                let mask =
                    format!("CASE WHEN pg_has_role(''bare'', ''member'') THEN {column} WHEN id > -1 THEN {column} END");
                script.push(format!("SECURITY LABEL FOR henna ON COLUMN {name}.{column} IS '{mask}'"));
            }
        }
        script
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

async fn load(lake: &Lake, table: &Table, rows: &[Vec<Option<String>>]) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|error| Error::of(Reason::Io, error))?;
    let path = folder.path().join(format!("{}.csv", table.name));
    std::fs::write(&path, table.csv(rows)).map_err(|error| Error::of(Reason::Io, error))?;
    let request =
        LoadRequest { on_reject: OnReject::Stop, ..LoadRequest::new(&table.name, vec![path.display().to_string()]) };
    let report = Loader::new(lake.store().clone(), Arc::clone(lake.dataset())).load(request).await?;
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
async fn rows(session: &Session, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
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
fn texts(batch: &RecordBatch, null: &str) -> Result<Vec<Vec<Option<String>>>> {
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
