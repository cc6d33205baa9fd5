//! The least value of a smooth function of a few variables: BFGS with a backtracking line search.

const STEPS_MAX: usize = 500;
/// A gradient below this is a minimum.
const GRADIENT_MIN: f64 = 1e-9;
/// Where rounding stops the search earlier, a gradient below this still counts as a minimum.
const GRADIENT_ENOUGH: f64 = 1e-6;
/// The longest step in any direction, so that a bad start does not throw the search out of range.
const STEP_MAX: f64 = 2.0;
/// Beyond this on either side of 0 the function is taken to have no minimum: it only flattens out.
const RANGE: f64 = 12.0;

/// Where a search ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minimum<const N: usize> {
    pub at: [f64; N],
    pub value: f64,
    pub converged: bool,
}

/// Searches from `start`; `function` gives value and gradient. Source: Nocedal and Wright, Numerical Optimization, algorithm 6.1.
pub(super) fn minimise<const N: usize>(start: [f64; N], function: impl Fn(&[f64; N]) -> (f64, [f64; N])) -> Minimum<N> {
    let mut at = start;
    let (mut value, mut gradient) = function(&at);
    let mut inverse_hessian = identity::<N>();
    for _ in 0..STEPS_MAX {
        if largest(&gradient) < GRADIENT_MIN || at.iter().any(|variable| variable.abs() > RANGE) {
            break;
        }
        let mut direction = inverse_hessian.map(|row| -dot(&row, &gradient));
        if dot(&direction, &gradient) >= 0.0 {
            inverse_hessian = identity();
            direction = gradient.map(|slope| -slope);
        }
        let longest = largest(&direction);
        if longest > STEP_MAX {
            direction = direction.map(|step| step * STEP_MAX / longest);
        }
        let Some((next, next_value, next_gradient)) = backtrack(&at, value, &gradient, &direction, &function) else {
            break;
        };
        let step: [f64; N] = std::array::from_fn(|i| next[i] - at[i]);
        let change: [f64; N] = std::array::from_fn(|i| next_gradient[i] - gradient[i]);
        update(&mut inverse_hessian, &step, &change);
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    let converged =
        value.is_finite() && largest(&gradient) < GRADIENT_ENOUGH && at.iter().all(|variable| variable.abs() <= RANGE);
    Minimum { at, value, converged }
}

/// Halves the step until the value falls enough; None when no step lowers it.
fn backtrack<const N: usize>(
    at: &[f64; N],
    value: f64,
    gradient: &[f64; N],
    direction: &[f64; N],
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Option<([f64; N], f64, [f64; N])> {
    let slope = dot(direction, gradient);
    let mut length = 1.0;
    for _ in 0..50 {
        let next = std::array::from_fn(|i| at[i] + length * direction[i]);
        let (next_value, next_gradient) = function(&next);
        if next_value.is_finite() && next_value <= value + 1e-4 * length * slope && next_value < value {
            return Some((next, next_value, next_gradient));
        }
        length /= 2.0;
    }
    None
}

fn update<const N: usize>(inverse_hessian: &mut [[f64; N]; N], step: &[f64; N], change: &[f64; N]) {
    let curvature = dot(step, change);
    if curvature <= 1e-14 {
        return;
    }
    let turned: [f64; N] = inverse_hessian.map(|row| dot(&row, change));
    let factor = (1.0 + dot(change, &turned) / curvature) / curvature;
    for i in 0..N {
        for j in 0..N {
            inverse_hessian[i][j] +=
                factor * step[i] * step[j] - (turned[i] * step[j] + step[i] * turned[j]) / curvature;
        }
    }
}

fn identity<const N: usize>() -> [[f64; N]; N] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }))
}

fn dot<const N: usize>(one: &[f64; N], two: &[f64; N]) -> f64 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}

fn largest<const N: usize>(vector: &[f64; N]) -> f64 {
    vector
        .iter()
        .fold(0.0, |largest, part| if part.is_finite() { f64::max(largest, part.abs()) } else { f64::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let minimum = minimise([-1.2, 1.0], |[x, y]| {
            let bend = y - x * x;
            ((1.0 - x).powi(2) + 100.0 * bend * bend, [-2.0 * (1.0 - x) - 400.0 * x * bend, 200.0 * bend])
        });
        assert!(minimum.converged);
        assert!(minimum.at.iter().all(|variable| (variable - 1.0).abs() < 1e-6), "{minimum:?}");
    }

    #[test]
    fn a_function_without_a_minimum_does_not_converge() {
        assert!(!minimise([0.0], |[x]| (-x, [-1.0])).converged);
    }
}
