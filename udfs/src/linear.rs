//! Small systems of linear equations.

/// The solution of a symmetric positive definite system by elimination with the largest pivot; None where it has no single one.
pub(crate) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    let largest = matrix.iter().flatten().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
    for column in 0..size {
        let pivot =
            (column..size).max_by(|one, two| matrix[*one][column].abs().total_cmp(&matrix[*two][column].abs()))?;
        // What rounding leaves of a zero is no pivot.
        if matrix[pivot][column].abs().partial_cmp(&(1e-12 * largest)) != Some(std::cmp::Ordering::Greater) {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (above, below) = matrix.split_at_mut(column + 1);
        let pivot_row = &above[column];
        for (row, offset) in below.iter_mut().zip(column + 1..) {
            let factor = row[column] / pivot_row[column];
            for (entry, pivot_entry) in row.iter_mut().zip(pivot_row).skip(column) {
                *entry -= factor * pivot_entry;
            }
            right[offset] -= factor * right[column];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|entry| matrix[row][entry] * right[entry]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}
