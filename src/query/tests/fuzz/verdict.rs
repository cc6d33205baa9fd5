//! Whether an answer tells of what is hidden.
//!
//! The promise is that an answer is the same as if the hidden rows had been deleted. So the guarded answer must be that of
//! the open lake which holds nothing else. Where an expression fails on a *visible* row, the order in which the engine
//! evaluates decides whether the statement fails and on which row, and a wall gives it another order than a plain scan; then
//! the lake with the same wall and without the hidden rows decides. Where even that one met another row first, a visible row
//! alone must make the open lake fail in the same words; and where the two sides of a set operation fail at once, each is
//! judged alone.

use super::statement::{Order, Statement};
use super::table::secrets;
use super::world::{Refusal, Seat, Told, World, ask};
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answers are equal.
    Answered,
    /// The refusals are equal.
    Refused,
    /// A visible row fails, and when it does is the engine's choice.
    Ordered,
    Leak(String),
}

/// Which of several errors is met first may depend on which partition is faster.
const ATTEMPTS_MAX: usize = 8;
const SHRINK_STEPS_MAX: usize = 200;

pub async fn judge(world: &World, seat: &Seat, statement: &Statement) -> Verdict {
    let sql = statement.to_string();
    let guarded = told(&ask(&seat.guarded, &sql).await, statement);
    if let Some(secret) = seat.stranger(&guarded) {
        return Verdict::Leak(format!("{secret} is hidden from {} and told: {guarded:?}", seat.role));
    }
    let bare = told(&ask(&seat.bare, &sql).await, statement);
    if guarded == bare {
        return if bare.is_ok() { Verdict::Answered } else { Verdict::Refused };
    }
    let mut all_guarded = vec![guarded];
    let mut all_trimmed: Vec<Told> = Vec::new();
    // Two answers with rows that differ are no matter of order.
    if all_guarded[0].is_err() || bare.is_err() {
        for attempt in 0..ATTEMPTS_MAX {
            // Files have their names at random, so that another lake reads them in another order.
            let answer = match attempt {
                0 => ask(&seat.trimmed, &sql).await,
                _ => ask(&sure(world.trimmed_anew(seat).await, &sql), &sql).await,
            };
            all_trimmed.push(told(&answer, statement));
            let is_explained = |one: &Told| all_trimmed.iter().any(|other| one == other || seat.shows(one, other));
            if all_guarded.iter().any(is_explained) {
                return Verdict::Ordered;
            }
            all_guarded.push(told(&ask(&seat.guarded, &sql).await, statement));
        }
    }
    // Nor has the wall a say in which of two visible rows, or of two expressions, is met first.
    if let Err(refusal) = &all_guarded[0]
        && all_trimmed.iter().all(Result::is_err)
        && (sure(world.fails_on_a_visible_row(seat, &sql, refusal).await, &sql)
            || sides_tell_nothing(world, seat, statement, refusal).await)
    {
        return Verdict::Ordered;
    }
    let trimmed = all_trimmed.first().map_or("not asked".to_owned(), brief);
    Verdict::Leak(format!("guarded {}\nbare    {}\ntrimmed {trimmed}", brief(&all_guarded[0]), brief(&bare)))
}

/// Whether each side of a set operation, asked alone, tells nothing, and one of them fails like the whole.
async fn sides_tell_nothing(world: &World, seat: &Seat, statement: &Statement, refusal: &Refusal) -> bool {
    let Some(sides) = statement.sides() else { return false };
    let mut fails_alike = false;
    for side in &sides {
        if let Verdict::Leak(_) = Box::pin(judge(world, seat, side)).await {
            return false;
        }
        let alone = ask(&seat.guarded, &side.to_string()).await;
        fails_alike |= alone.as_ref() == Err(refusal) || seat.shows(&Err(refusal.clone()), &alone);
    }
    fails_alike
}

/// The smallest statement found that still tells something; one that the verdict above calls a leak.
pub async fn shrunk(world: &World, seat: &Seat, statement: &Statement) -> (Statement, String) {
    let (mut smallest, mut why) = (statement.clone(), String::new());
    let mut steps = 0;
    'shrinking: loop {
        for candidate in smallest.smaller() {
            steps += 1;
            if steps > SHRINK_STEPS_MAX {
                break 'shrinking;
            }
            if let Verdict::Leak(told) = judge(world, seat, &candidate).await {
                (smallest, why) = (candidate, told);
                continue 'shrinking;
            }
        }
        break;
    }
    (smallest, why)
}

fn sure<T>(outcome: Result<T>, sql: &str) -> T {
    outcome.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

impl Seat {
    /// Whether two errors are one but for the value that they quote, and that of the first stands in a visible cell.
    fn shows(&self, guarded: &Told, trimmed: &Told) -> bool {
        let is_it = |value: &str, cell: &str| value.eq_ignore_ascii_case(cell) || value == cell.replace("SECRET", "x");
        another_row(guarded, trimmed).is_some_and(|value| self.cells.iter().any(|cell| is_it(value, cell)))
    }

    /// A secret in an answer that no visible row holds.
    fn stranger(&self, answer: &Told) -> Option<String> {
        let texts: Vec<&str> = match answer {
            Ok(rows) => rows.iter().flatten().map(String::as_str).collect(),
            Err(refusal) => vec![&refusal.text],
        };
        // Some casts lower the case of what they quote.
        let upper = texts.iter().map(|text| text.to_uppercase()).collect::<Vec<_>>();
        let mut found = upper.iter().flat_map(|text| secrets(text));
        found.find(|secret| !self.secrets.contains(*secret)).map(str::to_owned)
    }
}

/// An answer without the order of rows that nobody asked to be sorted.
fn told(answer: &Told, statement: &Statement) -> Told {
    let mut answer = answer.clone();
    if let (Ok(rows), Order::None) = (&mut answer, &statement.order)
        && let Some(rows) = rows.get_mut(1..)
    {
        rows.sort();
    }
    answer
}

/// The value that one error quotes where another is the same but for it.
fn another_row<'a>(guarded: &'a Told, trimmed: &Told) -> Option<&'a str> {
    let (Err(guarded), Err(trimmed)) = (guarded, trimmed) else { return None };
    let ((text, value), (same, _)) = (quoted(&guarded.text)?, quoted(&trimmed.text)?);
    (guarded.reason == trimmed.reason && text == same).then_some(value)
}

/// A text up to the quoted part that ends it, and that part.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix('"')?.rsplit_once('"')
}

fn brief(answer: &Told) -> String {
    let text = match answer {
        Ok(rows) => format!("{} rows {rows:?}", rows.len().saturating_sub(1)),
        Err(refusal) => format!("{:?}: {}", refusal.reason, refusal.text),
    };
    text.chars().take(800).collect()
}
