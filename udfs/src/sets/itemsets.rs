//! Frequent sets of items and the rules among them.

use datafusion_common::{HashMap, Result, exec_err};

/// Items of a rule at the most, as in R's arules.
pub(super) const ITEMS_MAX: usize = 10;
/// Frequent sets of one group: their number may double with each item.
const SETS_MAX: usize = 1_000_000;

/// Distinct baskets with how often they were bought; items are numbers in the order of their names, rising within a basket.
#[derive(Debug)]
pub(super) struct Baskets {
    pub items: Vec<String>,
    pub baskets: Vec<(Vec<u32>, i64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub antecedent: Vec<u32>,
    pub consequent: u32,
    /// Baskets with all items of the rule, with the antecedent, with the consequent, and of any kind.
    pub n: i64,
    pub n_antecedent: i64,
    pub n_consequent: i64,
    pub baskets: i64,
}

impl Rule {
    pub fn confidence(&self) -> f64 {
        self.n as f64 / self.n_antecedent as f64
    }
}

/// Which rules are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub min_count: i64,
    pub min_confidence: f64,
    pub max_items: usize,
}

/// All rules with one consequent, by falling confidence, then count, then names.
pub(super) fn rules(function: &str, baskets: &Baskets, limits: Limits) -> Result<Vec<Rule>> {
    let frequent = frequent(function, baskets, limits)?;
    let all = baskets.baskets.iter().map(|(_, count)| count).sum();
    let mut rules = Vec::new();
    for (set, n) in frequent.iter().filter(|(set, _)| set.len() > 1) {
        for (place, consequent) in set.iter().enumerate() {
            let antecedent = [&set[..place], &set[place + 1..]].concat();
            // Each part of a frequent set is frequent.
            let (Some(n_antecedent), Some(n_consequent)) =
                (frequent.get(&antecedent), frequent.get(std::slice::from_ref(consequent)))
            else {
                continue;
            };
            let rule = Rule {
                antecedent,
                consequent: *consequent,
                n: *n,
                n_antecedent: *n_antecedent,
                n_consequent: *n_consequent,
                baskets: all,
            };
            if rule.confidence() >= limits.min_confidence {
                rules.push(rule);
            }
        }
    }
    // Confidences as fractions, so that equal ones are equal.
    let cross = |one: &Rule, two: &Rule| i128::from(one.n) * i128::from(two.n_antecedent);
    rules.sort_by(|one, two| {
        (cross(two, one), two.n)
            .cmp(&(cross(one, two), one.n))
            .then_with(|| (&one.antecedent, one.consequent).cmp(&(&two.antecedent, two.consequent)))
    });
    Ok(rules)
}

/// An item that may follow a set, and the baskets that hold both.
type Follower = (u32, Vec<u32>);

/// Every set of items that is in `min_count` baskets at least, with their number.
fn frequent(function: &str, baskets: &Baskets, limits: Limits) -> Result<HashMap<Vec<u32>, i64>> {
    let Limits { min_count, max_items, .. } = limits;
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); baskets.items.len()];
    for (basket, (items, _)) in baskets.baskets.iter().enumerate() {
        for item in items {
            holders[*item as usize].push(basket as u32);
        }
    }
    let count = |holders: &[u32]| holders.iter().map(|basket| baskets.baskets[*basket as usize].1).sum::<i64>();
    let singles: Vec<Follower> = holders
        .into_iter()
        .enumerate()
        .filter(|(_, holders)| count(holders) >= min_count)
        .map(|(item, holders)| (item as u32, holders))
        .collect();
    let mut sets: HashMap<Vec<u32>, i64> = HashMap::new();
    let mut open: Vec<(Vec<u32>, Vec<Follower>)> = vec![(Vec::new(), singles)];
    while let Some((set, followers)) = open.pop() {
        for (place, (item, holders)) in followers.iter().enumerate() {
            let larger = [set.as_slice(), &[*item]].concat();
            if sets.len() == SETS_MAX {
                return exec_err!(
                    "{function}: more than {SETS_MAX} sets of items are in {min_count} baskets: raise min_count"
                );
            }
            sets.insert(larger.clone(), count(holders));
            if larger.len() == max_items {
                continue;
            }
            let followers = match set.is_empty() {
                true => bought_with(*item, holders, baskets),
                false => {
                    let with = |(other, others): &Follower| (*other, common(holders, others));
                    followers[place + 1..].iter().map(with).collect()
                }
            };
            let next: Vec<Follower> =
                followers.into_iter().filter(|(_, holders)| count(holders) >= min_count).collect();
            if !next.is_empty() {
                open.push((larger, next));
            }
        }
    }
    Ok(sets)
}

/// The later items that share a basket with an item, whose baskets are `holders`: to read these is quicker than to try all pairs of items.
fn bought_with(item: u32, holders: &[u32], baskets: &Baskets) -> Vec<Follower> {
    let mut together: HashMap<u32, Vec<u32>> = HashMap::new();
    for basket in holders {
        let items = &baskets.baskets[*basket as usize].0;
        for other in &items[items.partition_point(|other| *other <= item)..] {
            together.entry(*other).or_default().push(*basket);
        }
    }
    let mut followers: Vec<Follower> = together.into_iter().collect();
    followers.sort_unstable_by_key(|(other, _)| *other);
    followers
}

/// What two rising lists share.
fn common(one: &[u32], two: &[u32]) -> Vec<u32> {
    let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
    let mut shared = Vec::new();
    while let (Some(left), Some(right)) = (one.peek(), two.peek()) {
        match left.cmp(right) {
            std::cmp::Ordering::Less => _ = one.next(),
            std::cmp::Ordering::Greater => _ = two.next(),
            std::cmp::Ordering::Equal => {
                shared.push(**left);
                _ = one.next();
                _ = two.next();
            }
        }
    }
    shared
}
