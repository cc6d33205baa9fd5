//! Customers' paths as a Markov chain with memory: from a start over states of the last channels to a conversion or to nothing.
//!
//! Source: E. Anderl, I. Becker, F. von Wangenheim, J. Schumann, Mapping the Customer Journey, IJRM 33(3), 2016.

use datafusion_common::HashMap;

/// Probability mass that is still under way may be forgotten from here on; the chain's answers are exact to this.
const NEGLIGIBLE: f64 = 1e-16;
/// What one solution may cost in transitions: beyond this paths come back to the same channels almost for ever.
const TRANSITIONS_MAX: usize = 2_000_000_000;

/// A path and what came of it: how many converted, the value of these conversions, how many did not.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// Numbers of the channels.
    pub channels: &'a [u32],
    pub conversions: f64,
    pub value: f64,
    pub nulls: f64,
}

/// What a chain yields for a customer who enters it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yield {
    /// Probability of a conversion.
    pub conversion: f64,
    /// Expected value.
    pub value: f64,
}

/// A Markov chain of some order.
///
/// A state is the sliding window of the last `order` channels; a path no longer than that is one state; equal states in a row are one.
#[derive(Debug, Default)]
pub struct Chain {
    /// Channels of each state.
    states: Vec<Box<[u32]>>,
    start: Vec<(usize, f64)>,
    transitions: Vec<Vec<(usize, f64)>>,
    /// Of each state: the probability that it is the last one and a conversion follows, and the expected value of that.
    ends: Vec<Yield>,
}

impl Chain {
    /// Builds the chain of `order`, 1 or more. The answer to equal paths in another order may differ in the last digit.
    pub fn new<'a>(paths: impl IntoIterator<Item = Outcome<'a>>, order: usize) -> Self {
        let mut counts = Counts::default();
        for path in paths {
            counts.add(path, order.max(1));
        }
        counts.chain()
    }

    /// The yield with a channel's states removed: whoever comes to one is lost. Without a channel it is the same for every order.
    ///
    /// Probability mass is sent through the chain until nothing of it is left: the sum of all powers of the transition matrix. None where that
    /// takes more than 2,000,000,000 transitions.
    pub fn yield_without(&self, channel: Option<u32>) -> Option<Yield> {
        let is_lost: Vec<bool> =
            self.states.iter().map(|state| channel.is_some_and(|channel| state.contains(&channel))).collect();
        let mut mass = vec![0.0; self.states.len()];
        for (state, share) in self.start.iter().filter(|(state, _)| !is_lost[*state]) {
            mass[*state] += share;
        }
        let mut sum = Yield { conversion: 0.0, value: 0.0 };
        let mut cost = 0;
        while mass.iter().sum::<f64>() > NEGLIGIBLE {
            let mut next = vec![0.0; mass.len()];
            for (state, share) in mass.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                sum.conversion += share * self.ends[state].conversion;
                sum.value += share * self.ends[state].value;
                for (to, probability) in self.transitions[state].iter().filter(|(to, _)| !is_lost[*to]) {
                    next[*to] += share * probability;
                }
                cost += self.transitions[state].len() + 1;
            }
            cost += mass.len();
            if cost > TRANSITIONS_MAX {
                return None;
            }
            mass = next;
        }
        Some(sum)
    }
}

/// Customers who went from state to state.
#[derive(Debug, Default)]
struct Counts {
    numbers: HashMap<Box<[u32]>, usize>,
    start: HashMap<usize, f64>,
    transitions: Vec<HashMap<usize, f64>>,
    /// Of each state: customers who left it in any way, who converted from it, and the value of that.
    left: Vec<f64>,
    converted: Vec<f64>,
    value: Vec<f64>,
}

impl Counts {
    fn add(&mut self, path: Outcome<'_>, order: usize) {
        let customers = path.conversions + path.nulls;
        if path.channels.is_empty() || customers <= 0.0 {
            return;
        }
        let mut before: Option<usize> = None;
        for window in path.channels.windows(order.min(path.channels.len())) {
            let state = self.number(window);
            match before {
                None => *self.start.entry(state).or_insert(0.0) += customers,
                Some(before) if before != state => {
                    *self.transitions[before].entry(state).or_insert(0.0) += customers;
                    self.left[before] += customers;
                }
                Some(_) => {}
            }
            before = Some(state);
        }
        if let Some(last) = before {
            self.left[last] += customers;
            self.converted[last] += path.conversions;
            self.value[last] += path.value;
        }
    }

    fn number(&mut self, window: &[u32]) -> usize {
        if let Some(number) = self.numbers.get(window) {
            return *number;
        }
        let number = self.numbers.len();
        self.numbers.insert(window.into(), number);
        self.transitions.push(HashMap::new());
        self.left.push(0.0);
        self.converted.push(0.0);
        self.value.push(0.0);
        number
    }

    fn chain(self) -> Chain {
        let total: f64 = self.start.values().sum();
        let mut states = vec![Box::default(); self.numbers.len()];
        for (window, number) in self.numbers {
            states[number] = window;
        }
        // In a fixed order, so that sums are the same each time.
        let shares = |counts: HashMap<usize, f64>, of: f64| {
            let mut shares: Vec<(usize, f64)> = counts.into_iter().map(|(state, count)| (state, count / of)).collect();
            shares.sort_unstable_by_key(|(state, _)| *state);
            shares
        };
        let ends = self.left.iter().zip(self.converted.iter().zip(&self.value));
        Chain {
            states,
            start: shares(self.start, total),
            ends: ends
                .map(|(left, (converted, value))| Yield { conversion: converted / left, value: value / left })
                .collect(),
            transitions: self
                .transitions
                .into_iter()
                .zip(&self.left)
                .map(|(counts, left)| shares(counts, *left))
                .collect(),
        }
    }
}
