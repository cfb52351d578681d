//! What becomes of many measurements: medians, spreads, and the slowest of a hundred.

use std::time::Duration;

/// The middle of some values; 0 when there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// Half the distance between the least and the greatest, as a share of the median.
pub fn spread(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    let middle = median(values);
    if middle > 0.0 { (greatest - least) / 2.0 / middle } else { 0.0 }
}

/// The time below which so many of a hundred stay, in milliseconds.
pub fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// A count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// A number that has become a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a benchmark are positive and far below 2^52"
)]
pub fn count(value: f64) -> usize {
    value.round() as usize
}
