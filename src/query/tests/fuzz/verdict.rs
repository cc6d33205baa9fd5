//! Whether an answer tells of what is hidden.
//!
//! The promise is that an answer is the same as if the hidden rows had been deleted. So the guarded answer must be that of
//! the lake which holds nothing else. Where an expression fails on a *visible* row, the order in which the engine evaluates
//! decides whether the statement fails, and a wall gives it another order than a plain scan; then the same kind of plan over
//! the lake without hidden rows decides.

use super::statement::{Order, Statement};
use super::table::secrets;
use super::world::{Seat, Told, ask};

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

pub async fn judge(seat: &Seat, statement: &Statement) -> Verdict {
    let sql = statement.to_string();
    let guarded = told(&seat.guarded_answer(&sql).await, statement);
    if let Some(secret) = seat.stranger(&guarded) {
        return Verdict::Leak(format!("{secret} is hidden from {} and told: {guarded:?}", seat.role));
    }
    let bare = told(&ask(&seat.bare, &sql).await, statement);
    if guarded == bare {
        return if bare.is_ok() { Verdict::Answered } else { Verdict::Refused };
    }
    if let Some(unlimited) = statement.unlimited() {
        // Whether the limit is reached before the row that fails, no order decides.
        let whole = ask(&seat.walled, &unlimited.to_string()).await;
        if whole.is_err() && (guarded.is_ok() || guarded == whole || seat.is_another_row(&guarded, &whole)) {
            return Verdict::Ordered;
        }
    }
    let walled = told(&ask(&seat.walled, &sql).await, statement);
    if seat.is_another_row(&guarded, &walled) || seat.is_another_row(&guarded, &bare) {
        return Verdict::Ordered;
    }
    let mut seen = vec![bare.clone(), walled];
    for _ in 0..ATTEMPTS_MAX {
        // Two answers with rows that differ are no matter of order.
        if seen.contains(&guarded) && seen.iter().any(Result::is_err) {
            return Verdict::Ordered;
        }
        let again = told(&seat.guarded_answer(&sql).await, statement);
        if seen.contains(&again) && seen.iter().any(Result::is_err) {
            return Verdict::Ordered;
        }
        seen.push(told(&ask(&seat.walled, &sql).await, statement));
    }
    if guarded.is_err() && seen.iter().all(Result::is_err) && sides_are_tight(seat, statement).await {
        return Verdict::Ordered;
    }
    Verdict::Leak(format!("guarded {}\nbare    {}\nwalled  {}", brief(&guarded), brief(&bare), brief(&seen[1])))
}

/// The sides of a set operation run at once: which of them fails first, no order decides. Each is judged alone.
async fn sides_are_tight(seat: &Seat, statement: &Statement) -> bool {
    let Some(sides) = statement.sides() else { return false };
    for side in &sides {
        if let Verdict::Leak(_) = Box::pin(judge(seat, side)).await {
            return false;
        }
    }
    true
}

/// The smallest statement found that still tells something; one that the verdict above calls a leak.
pub async fn shrunk(seat: &Seat, statement: &Statement) -> (Statement, String) {
    let (mut smallest, mut why) = (statement.clone(), String::new());
    let mut steps = 0;
    'shrinking: loop {
        for candidate in smallest.smaller() {
            steps += 1;
            if steps > SHRINK_STEPS_MAX {
                break 'shrinking;
            }
            if let Verdict::Leak(told) = judge(seat, &candidate).await {
                (smallest, why) = (candidate, told);
                continue 'shrinking;
            }
        }
        break;
    }
    (smallest, why)
}

impl Seat {
    async fn guarded_answer(&self, sql: &str) -> Told {
        ask(&self.guarded, sql).await
    }

    /// Whether two errors are one but for the row that was met first, and that row is visible in both.
    fn is_another_row(&self, guarded: &Told, walled: &Told) -> bool {
        let (Err(guarded), Err(walled)) = (guarded, walled) else { return false };
        let (Some((text, value)), Some((same, _))) = (quoted(&guarded.text), quoted(&walled.text)) else {
            return false;
        };
        let visible = |cell: &String| value.eq_ignore_ascii_case(cell) || value == cell.replace("SECRET", "x");
        guarded.reason == walled.reason && text == same && self.cells.iter().any(visible)
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

/// A text up to its last quoted part, and that part.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (before, value) = text.strip_suffix('"')?.rsplit_once('"')?;
    Some((before, value))
}

fn brief(answer: &Told) -> String {
    let text = match answer {
        Ok(rows) => format!("{} rows {rows:?}", rows.len().saturating_sub(1)),
        Err(refusal) => format!("{:?}: {}", refusal.reason, refusal.text),
    };
    text.chars().take(800).collect()
}
