//! Noise by what neighbouring points of a run show, whatever its curve.

/// How far the middle one of three places lies off the line through the others, and the variance of
/// that where each has a variance of 1. Places are `[ln D, loss]`, in ascending order.
pub(crate) fn off_the_line([before, middle, after]: [[f64; 2]; 3]) -> (f64, f64) {
    let share = (middle[0] - before[0]) / (after[0] - before[0]);
    let line = (1.0 - share) * before[1] + share * after[1];
    (middle[1] - line, 1.0 + share * share + (1.0 - share) * (1.0 - share))
}
