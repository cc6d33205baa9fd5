//! Patterns of events: ClickHouse's language of sequenceMatch, parsed and matched.
//!
//! Source: the documentation of ClickHouse's sequenceMatch and sequenceCount, and what ClickHouse 26.9 answers.

use datafusion_common::{HashSet, Result, exec_err};

use super::events::Event;

const SECOND_MICROS: i64 = 1_000_000;
/// What one group may cost, and some 40 bytes a step while it is matched; a pattern with times may need the square of its events.
const STEPS_MAX: u64 = 5_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// `(?1)`: the next event meets this condition (counted from 0).
    Meets(usize),
    /// `.`: one event of any kind.
    Any,
    /// `.*`: any number of events.
    Star,
    /// `(?t>=5)`: events are passed over until one is this far from the last one.
    Time(Comparison, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    ("<", Comparison::Less),
    (">=", Comparison::GreaterOrEqual),
    (">", Comparison::Greater),
    ("==", Comparison::Equal),
];

/// A parsed pattern; it may begin anywhere, so a star stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    actions: Vec<Action>,
    /// Of each action: whether more than one way may lead to the same state. The star at the beginning alone makes none.
    is_entered_again: Vec<bool>,
}

impl Pattern {
    /// `conditions` is the number of conditions that the call has.
    pub fn parse(function: &str, text: &str, conditions: usize) -> Result<Self> {
        let mut actions = vec![Action::Star];
        let mut rest = text;
        while !rest.is_empty() {
            let Some((action, after)) = parse_action(rest) else {
                return exec_err!(
                    "{function}: pattern must be made of (?1), (?t<=60), . and .*, got {text:?} with {rest:?} at its end"
                );
            };
            match action {
                Action::Meets(condition) if condition >= conditions => {
                    return exec_err!(
                        "{function}: pattern {text:?} names condition {}, there are {conditions}",
                        condition + 1
                    );
                }
                Action::Time(..) if actions.len() == 1 || matches!(actions.last(), Some(Action::Time(..))) => {
                    return exec_err!("{function}: a time must follow an event in the pattern, got {text:?}");
                }
                _ => actions.push(action),
            }
            rest = after;
        }
        if actions.len() == 1 {
            return exec_err!("{function}: pattern must not be empty");
        }
        let mut is_branched = false;
        let is_entered_again = actions
            .iter()
            .enumerate()
            .map(|(place, action)| {
                let branches = place > 0 && matches!(action, Action::Star | Action::Time(..));
                let was_branched = is_branched;
                is_branched |= branches;
                was_branched
            })
            .collect();
        Ok(Self { actions, is_entered_again })
    }

    /// How often the pattern occurs, at most `most` times; occurrences do not overlap.
    /// `walk` is room to walk in, of any use before.
    pub fn count(&self, function: &str, events: &[Event], most: u64, walk: &mut Walk) -> Result<u64> {
        let (mut from, mut count) = (0, 0);
        walk.steps = 0;
        while from < events.len() && count < most {
            walk.reset();
            match self.end_of_match(function, events, from, walk)? {
                Some(end) => (from, count) = (end, count + 1),
                None => break,
            }
        }
        Ok(count)
    }

    /// Where the first match in events from `from` on ends. Depth first; a state that was left without a match is not entered again, so the
    /// cost is bounded by actions times events, times events again where times are asked for.
    fn end_of_match(&self, function: &str, events: &[Event], from: usize, walk: &mut Walk) -> Result<Option<usize>> {
        let mut state = State { action: 0, event: from, base: from };
        let Walk { steps, open, entered } = walk;
        while state.action < self.actions.len() && state.event < events.len() {
            *steps += 1;
            if *steps > STEPS_MAX {
                return exec_err!(
                    "{function}: the pattern takes more than {STEPS_MAX} steps on one group's {} events",
                    events.len()
                );
            }
            let event = events[state.event];
            let goes_on = match self.actions[state.action] {
                Action::Meets(condition) => {
                    let meets = event.meets(condition);
                    if meets {
                        state = state.after_event();
                    }
                    meets
                }
                Action::Any => {
                    state = state.after_event();
                    true
                }
                Action::Star => {
                    // What a star looks back to does not matter.
                    let is_new = !self.is_entered_again[state.action] || entered.insert(State { base: 0, ..state });
                    if is_new {
                        open.push(state);
                        state = state.without_event();
                    }
                    is_new
                }
                Action::Time(comparison, length) => {
                    let limit = events[state.base].ts.saturating_add(length);
                    let (holds, may_hold_later) = match comparison {
                        Comparison::Less => (event.ts < limit, false),
                        Comparison::LessOrEqual => (event.ts <= limit, false),
                        Comparison::Greater => (event.ts > limit, true),
                        Comparison::GreaterOrEqual => (event.ts >= limit, true),
                        Comparison::Equal => (event.ts == limit, true),
                    };
                    if holds {
                        let is_new = !self.is_entered_again[state.action] || entered.insert(state);
                        if is_new {
                            open.push(state);
                            state = state.without_event();
                        }
                        is_new
                    } else {
                        state.event += 1;
                        may_hold_later && state.event < events.len()
                    }
                }
            };
            if !goes_on {
                match open.pop() {
                    Some(before) => state = State { event: before.event + 1, ..before },
                    None => return Ok(None),
                }
            }
        }
        let is_matched = self.actions[state.action..].iter().all(|action| *action == Action::Star);
        Ok(is_matched.then_some(state.event))
    }
}

/// Room that is kept from one group to the next.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Steps taken on this group.
    steps: u64,
    /// States to come back to.
    open: Vec<State>,
    entered: HashSet<State>,
}

/// A larger room is given back: to clear it for each group would cost more than to make it anew for a few.
const ENTERED_KEPT_MAX: usize = 1_024;

impl Walk {
    fn reset(&mut self) {
        self.open.clear();
        if self.entered.capacity() > ENTERED_KEPT_MAX {
            self.entered = HashSet::new();
        } else {
            self.entered.clear();
        }
    }
}

/// The next action and event, and the event that a time is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    action: usize,
    event: usize,
    base: usize,
}

impl State {
    fn after_event(self) -> Self {
        Self { action: self.action + 1, event: self.event + 1, base: self.event }
    }

    fn without_event(self) -> Self {
        Self { action: self.action + 1, event: self.event, base: self.event }
    }
}

/// The action at the head of the text, and the text after it.
fn parse_action(text: &str) -> Option<(Action, &str)> {
    if let Some(rest) = text.strip_prefix(".*") {
        return Some((Action::Star, rest));
    }
    if let Some(rest) = text.strip_prefix('.') {
        return Some((Action::Any, rest));
    }
    let (inside, rest) = text.strip_prefix("(?")?.split_once(')')?;
    if let Some(time) = inside.strip_prefix('t') {
        let (comparison, seconds) =
            COMPARISONS.iter().find_map(|(sign, comparison)| Some((*comparison, time.strip_prefix(sign)?)))?;
        return Some((Action::Time(comparison, digits(seconds)?.checked_mul(SECOND_MICROS)?), rest));
    }
    let condition = usize::try_from(digits(inside)?).ok()?.checked_sub(1)?;
    Some((Action::Meets(condition), rest))
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
