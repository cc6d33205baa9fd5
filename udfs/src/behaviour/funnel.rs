//! How far a person went down a funnel within its window: ClickHouse's windowFunnel, and when each step was taken.
//!
//! Source: the documentation of ClickHouse's windowFunnel, and what ClickHouse 26.9 answers.

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::function::AccumulatorArgs;

use super::events::{Event, coerce_events};
use crate::constants::{aggregate_constant, quoted, text};
use crate::windows::window_micros;

const MODES: &str = "'default' or some of 'strict_order', 'strict_deduplication', 'strict_increase', 'strict_once', separated by commas";
const SECOND_MICROS: f64 = 1e6;
/// Where ts stands among the arguments.
pub(super) const TS: usize = 2;

/// The constant arguments of a funnel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Funnel {
    steps: usize,
    window_micros: i64,
    modes: Modes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Modes {
    order: bool,
    deduplication: bool,
    increase: bool,
    once: bool,
}

/// Argument types of `(window, mode, ts, condition, ...)`.
pub(super) fn coerce_funnel(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [window, _, events @ ..] = types else {
        return plan_err!("{function}: window, mode, ts and conditions are needed, got {} arguments", types.len());
    };
    let window = match window {
        DataType::Interval(_) | DataType::Duration(_) => window.clone(),
        number if number.is_numeric() || number.is_null() => DataType::Float64,
        other => return plan_err!("{function}: window must be an interval or a number of seconds, got {other}"),
    };
    let mut coerced = vec![window, DataType::Utf8];
    coerced.extend(coerce_events(function, events)?);
    Ok(coerced)
}

impl Funnel {
    pub fn of(function: &str, args: &AccumulatorArgs) -> Result<Self> {
        let (Some(window), Some(mode)) =
            (aggregate_constant(args, function, 0, "window")?, aggregate_constant(args, function, 1, "mode")?)
        else {
            return exec_err!("{function}: window and mode are missing");
        };
        let micros = match window {
            ScalarValue::Float64(seconds) => seconds.map(|seconds| seconds * SECOND_MICROS),
            _ => window_micros(function, "window", &window)?,
        };
        let Some(micros) = micros.filter(|micros| *micros >= 0.0) else {
            return exec_err!("{function}: window must be 0 or more, got {}", quoted(&window));
        };
        let mode = text(&mode, function, "mode", MODES)?;
        let Some(modes) = Modes::named(&mode) else {
            return exec_err!("{function}: mode must be {MODES}, got {mode:?}");
        };
        Ok(Self { steps: args.exprs.len() - 3, window_micros: micros as i64, modes })
    }

    /// Only where events without a condition break a chain do they matter.
    pub fn needs_idle_events(&self) -> bool {
        self.modes.order
    }

    /// How many steps were taken. `chains` is room to walk in, of any use before.
    pub fn level(&self, events: &[Event], chains: &mut Chains) -> usize {
        self.go(events, chains);
        chains.levels.iter().flatten().count()
    }

    /// When they were taken.
    pub fn times(&self, events: &[Event], chains: &mut Chains) -> Vec<i64> {
        self.go(events, chains);
        chains.deepest_times()
    }

    fn go(&self, events: &[Event], chains: &mut Chains) {
        chains.reset(self.steps);
        if self.modes.once {
            self.walk_once(events, chains);
        } else {
            self.walk(events, chains);
        }
    }

    /// Each condition of an event is an event of its own, those of one time in order of the conditions.
    fn walk(&self, events: &[Event], chains: &mut Chains) {
        for same_time in events.chunk_by(|one, two| one.ts == two.ts) {
            let ts = same_time[0].ts;
            if self.is_broken_by_idle(same_time, chains) {
                return;
            }
            for step in 0..self.steps {
                for _ in same_time.iter().filter(|event| event.meets(step)) {
                    if self.is_broken_by_step(step, chains) {
                        return;
                    }
                    match step.checked_sub(1).map(|before| chains.levels[before]) {
                        None => chains.start(ts),
                        Some(Some(before))
                            if self.in_window(ts, before.first) && !(self.modes.increase && before.last >= ts) =>
                        {
                            chains.extend(step, before, ts);
                            if step + 1 == self.steps {
                                return;
                            }
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// As `walk`, but no event counts for two steps: which of the events of one time serve which steps is a matching.
    fn walk_once(&self, events: &[Event], chains: &mut Chains) {
        for same_time in events.chunk_by(|one, two| one.ts == two.ts) {
            let ts = same_time[0].ts;
            if self.is_broken_by_idle(same_time, chains) {
                return;
            }
            // What was reached before this time, beginning with nothing; and the events that serve the steps after it.
            let mut bases: Vec<(usize, Option<Reached>, Vec<usize>)> = (0..=self.steps)
                .filter_map(|level| match level.checked_sub(1).map(|index| chains.levels[index]) {
                    None => Some((0, None, Vec::new())),
                    Some(Some(reached)) if self.in_window(ts, reached.first) => {
                        Some((level, Some(reached), Vec::new()))
                    }
                    Some(_) => None,
                })
                .collect();
            for step in 0..self.steps {
                let candidates: Vec<usize> =
                    (0..same_time.len()).filter(|event| same_time[*event].meets(step)).collect();
                for newest in &candidates {
                    if self.is_broken_by_step(step, chains) {
                        return;
                    }
                    for (level, reached, served) in &mut bases {
                        let taken = *level + served.len();
                        if taken != step || (self.modes.increase && !served.is_empty()) {
                            continue;
                        }
                        let first_step = *level;
                        let serves = |index: usize, event: usize| {
                            same_time[event].meets(first_step + index)
                                && (first_step + index < step || event <= *newest)
                        };
                        if !augment(served, same_time.len(), serves) {
                            continue;
                        }
                        chains.reach_at(step, *reached, *level, ts);
                        if step + 1 == self.steps {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn in_window(&self, ts: i64, first: i64) -> bool {
        ts <= first.saturating_add(self.window_micros)
    }

    /// strict_order: an event without a condition ends a chain that has begun.
    fn is_broken_by_idle(&self, same_time: &[Event], chains: &Chains) -> bool {
        self.modes.order && chains.levels[0].is_some() && same_time.first().is_some_and(|event| event.conditions == 0)
    }

    /// strict_deduplication: a step that was reached before ends the walk. strict_order: so does a step that is out of turn.
    fn is_broken_by_step(&self, step: usize, chains: &Chains) -> bool {
        let Some(before) = step.checked_sub(1) else { return false };
        let is_out_of_turn = chains.levels[0].is_some() && chains.levels[before].is_none();
        (self.modes.deduplication && chains.levels[step].is_some()) || (self.modes.order && is_out_of_turn)
    }
}

impl Modes {
    fn named(names: &str) -> Option<Self> {
        let mut modes = Self::default();
        for name in names.split(',').map(str::trim) {
            match name {
                "default" => {}
                "strict_order" => modes.order = true,
                "strict_deduplication" => modes.deduplication = true,
                "strict_increase" => modes.increase = true,
                "strict_once" => modes.once = true,
                _ => return None,
            }
        }
        Some(modes)
    }
}

/// The newest chain that has reached a level.
#[derive(Debug, Clone, Copy)]
struct Reached {
    /// Time of its first step, and of its last.
    first: i64,
    last: i64,
    /// Its last link.
    link: usize,
}

/// For every level the chain that reached it last: the one with the latest beginning, which has the most of its window left.
#[derive(Debug, Default)]
pub(super) struct Chains {
    levels: Vec<Option<Reached>>,
    /// Time of a step, and the link of the step before it.
    links: Vec<(i64, Option<usize>)>,
}

impl Chains {
    fn reset(&mut self, steps: usize) {
        self.levels.clear();
        self.levels.resize(steps, None);
        self.links.clear();
    }

    fn start(&mut self, ts: i64) {
        self.links.push((ts, None));
        self.levels[0] = Some(Reached { first: ts, last: ts, link: self.links.len() - 1 });
    }

    fn extend(&mut self, step: usize, before: Reached, ts: i64) {
        self.links.push((ts, Some(before.link)));
        self.levels[step] = Some(Reached { first: before.first, last: ts, link: self.links.len() - 1 });
    }

    /// Reaches `step` at `ts`, all steps after `level` being taken at that time, unless a later beginning reached it already.
    fn reach_at(&mut self, step: usize, base: Option<Reached>, level: usize, ts: i64) {
        let first = base.map_or(ts, |base| base.first);
        if self.levels[step].is_some_and(|known| known.first > first) {
            return;
        }
        let mut link = base.map(|base| base.link);
        for _ in level..=step {
            self.links.push((ts, link));
            link = Some(self.links.len() - 1);
        }
        self.levels[step] = link.map(|link| Reached { first, last: ts, link });
    }

    /// The times of the deepest chain's steps.
    fn deepest_times(&self) -> Vec<i64> {
        let mut times = Vec::new();
        let mut next = self.levels.iter().rev().flatten().next().map(|reached| reached.link);
        while let Some(link) = next {
            let (ts, before) = self.links[link];
            times.push(ts);
            next = before;
        }
        times.reverse();
        times
    }
}

/// Serves one more step than `served` does, by other events if need be: `serves(step, event)` says which may. False where none can.
/// Source: the augmenting paths of Berge and Kuhn.
fn augment(served: &mut Vec<usize>, events: usize, serves: impl Fn(usize, usize) -> bool) -> bool {
    let mut tried = vec![false; events];
    // Steps whose event is looked for, each with the next event to try.
    let mut path = vec![(served.len(), 0)];
    let mut choices: Vec<usize> = Vec::new();
    while let Some((step, from)) = path.pop() {
        let Some(event) = (from..events).find(|event| !tried[*event] && serves(step, *event)) else {
            choices.pop();
            continue;
        };
        tried[event] = true;
        path.push((step, event + 1));
        choices.push(event);
        match served.iter().position(|taken| *taken == event) {
            Some(holder) => path.push((holder, 0)),
            None => {
                served.push(usize::MAX);
                for ((step, _), event) in path.iter().zip(&choices) {
                    served[*step] = *event;
                }
                return true;
            }
        }
    }
    false
}
