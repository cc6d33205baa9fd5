//! Integrals of smooth functions over an interval, by Gauss and Legendre.

use std::sync::LazyLock;

const NODES: usize = 16;

/// Nodes in (0, 1) and their weights, which sum to 1: the roots of Legendre's polynomial, found by Newton's method.
/// Source: Abramowitz and Stegun 25.4.29 and 22.7.10.
static RULE: LazyLock<[(f64, f64); NODES]> = LazyLock::new(|| {
    std::array::from_fn(|index| {
        let mut root = (std::f64::consts::PI * (index as f64 + 0.75) / (NODES as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..8 {
            let (value, derivative) = legendre(root);
            slope = derivative;
            root -= value / derivative;
        }
        (0.5 * (1.0 - root), 1.0 / ((1.0 - root * root) * slope * slope))
    })
});

/// Legendre's polynomial of degree NODES and its derivative.
fn legendre(x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for degree in 1..NODES {
        let degree = degree as f64;
        (before, value) = (value, ((2.0 * degree + 1.0) * x * value - degree * before) / (degree + 1.0));
    }
    (value, NODES as f64 * (before - x * value) / (1.0 - x * x))
}

/// Integrals from `from` to `to` of the N functions that `function` gives together. Sixteen nodes are exact to the last digits
/// when the functions change by some powers of e and have no singularity within the interval's length of its ends.
pub(super) fn integrate<const N: usize>(from: f64, to: f64, mut function: impl FnMut(f64) -> [f64; N]) -> [f64; N] {
    let length = to - from;
    let mut sums = [0.0; N];
    for (node, weight) in RULE.iter() {
        let values = function(from + length * node);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += length * weight * value;
        }
    }
    sums
}
