//! The attribution models: how much each touch of a path weighs.

/// How a conversion is shared among its touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Model {
    First,
    Last,
    LastNonDirect,
    Linear,
    Position,
    /// The weight of a touch halves with every half-life (microseconds) before the conversion.
    TimeDecay {
        half_life: f64,
    },
}

pub(super) const RULE: &str = "one of 'first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay'";

impl Model {
    pub fn named(name: &str, half_life: f64) -> Option<Self> {
        Some(match name {
            "first" => Self::First,
            "last" => Self::Last,
            "last_non_direct" => Self::LastNonDirect,
            "linear" => Self::Linear,
            "position" => Self::Position,
            "time_decay" => Self::TimeDecay { half_life },
            _ => return None,
        })
    }

    /// Weights of touches at `times` (microseconds, ascending), not all zero, with a sum of at most 2^62.
    pub fn weights(self, times: &[i64], is_direct: impl Fn(usize) -> bool) -> Vec<u64> {
        let touches = times.len();
        match self {
            Self::First => only(0, touches),
            Self::Last => only(touches.saturating_sub(1), touches),
            Self::LastNonDirect => {
                only((0..touches).rev().find(|touch| !is_direct(*touch)).unwrap_or(touches.saturating_sub(1)), touches)
            }
            Self::Linear => vec![1; touches],
            Self::Position => position(touches),
            Self::TimeDecay { half_life } => decayed(times, half_life),
        }
    }
}

fn only(touch: usize, touches: usize) -> Vec<u64> {
    (0..touches).map(|index| u64::from(index == touch)).collect()
}

/// 40 % to either end and 20 % to all between, in whole numbers; halves where nothing is between.
fn position(touches: usize) -> Vec<u64> {
    let mut weights = vec![1; touches];
    if touches > 2 {
        let end = 2 * (touches as u64 - 2);
        weights[0] = end;
        weights[touches - 1] = end;
    }
    weights
}

/// Relative to the last touch, so that old paths do not fade to nothing.
fn decayed(times: &[i64], half_life: f64) -> Vec<u64> {
    let Some(last) = times.last() else {
        return Vec::new();
    };
    let full = ((1u64 << 62) / times.len() as u64).min(1 << 52) as f64;
    times.iter().map(|time| (full * (-(last.saturating_sub(*time) as f64) / half_life).exp2()).round() as u64).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::attribution::largest_remainder::{shares, split};

    fn weights(model: Model, times: &[i64]) -> Vec<u64> {
        model.weights(times, |touch| touch >= 2)
    }

    #[test]
    fn single_touch_models_give_all_to_one() {
        assert_eq!(weights(Model::First, &[1, 2, 3]), [1, 0, 0]);
        assert_eq!(weights(Model::Last, &[1, 2, 3]), [0, 0, 1]);
        assert_eq!(weights(Model::LastNonDirect, &[1, 2, 3]), [0, 1, 0]);
    }

    #[test]
    fn last_non_direct_falls_back_to_the_last_where_all_are_direct() {
        assert_eq!(Model::LastNonDirect.weights(&[1, 2], |_| true), [0, 1]);
    }

    #[test]
    fn position_gives_two_fifths_to_either_end() {
        assert_eq!(weights(Model::Position, &[1]), [1]);
        assert_eq!(weights(Model::Position, &[1, 2]), [1, 1]);
        assert_eq!(weights(Model::Position, &[1, 2, 3]), [2, 1, 2]);
        assert_eq!(weights(Model::Position, &[1, 2, 3, 4]), [4, 1, 1, 4]);
    }

    proptest::proptest! {
        #[test]
        fn every_model_shares_the_whole_of_any_path(
            mut times in proptest::collection::vec(0i64..1_000_000_000_000, 1..60), value in -1_000_000_000i128..1_000_000_000, half_life in 1e6f64..1e13,
        ) {
            times.sort_unstable();
            for name in ["first", "last", "last_non_direct", "linear", "position", "time_decay"] {
                let weights = Model::named(name, half_life).unwrap().weights(&times, |touch| touch % 3 == 0);
                let shares = shares(&weights);
                proptest::prop_assert_eq!(shares.iter().sum::<f64>(), 1.0, "{}", name);
                proptest::prop_assert_eq!(shares.iter().rev().sum::<f64>(), 1.0, "{} backwards", name);
                proptest::prop_assert_eq!(split(value, &weights).iter().sum::<i128>(), value);
                proptest::prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            }
        }
    }

    #[test]
    fn time_decay_halves_with_each_half_life() {
        let decayed = weights(Model::TimeDecay { half_life: 10.0 }, &[0, 10, 20]);
        assert_eq!(decayed, [1 << 50, 1 << 51, 1 << 52]);
        assert_eq!(weights(Model::TimeDecay { half_life: 1e-9 }, &[i64::MIN, 0]), [0, 1 << 52]);
    }
}
