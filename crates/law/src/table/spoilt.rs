//! A point that lies far off its own run: one digit typed wrongly, one evaluation gone wrong.

use super::run::Point;
use crate::neighbours::off_the_line;

/// How often a point must lie further off the line through its neighbours than the run's points
/// usually do. Real curves reach 30: they bend most at their beginning, and some wobble once.
const FAR: f64 = 40.0;
/// Without the point, its neighbours must lie no further off than this share of it. A fall that
/// stays leaves them as far off.
const ORDINARY: f64 = 0.25;
/// It must lie off by this share of what the other points span: noise is larger early in a run.
const SHARE: f64 = 0.1;
/// With fewer points nothing tells what is usual.
const FEWEST: usize = 7;
/// Losses are seldom written with more digits: a part of them is no error.
const DIGITS: f64 = 1e-5;

/// A spoilt point: its place among the points, how far off it lies in nats, and how many times
/// further than usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spoilt {
    pub(super) place: usize,
    pub(super) nats: f64,
    pub(super) times: f64,
}

/// The point without which the others would be ordinary. A fall that stays, such as a plateau that
/// breaks, is none. The first and the last point have one neighbour and are not judged.
pub(super) fn find(points: &[Point]) -> Option<Spoilt> {
    let off_it = |three: &[Point]| off_the_line([0, 1, 2].map(|i| three[i].place())).0;
    let signed: Vec<f64> = points.windows(3).map(off_it).collect();
    let off: Vec<f64> = signed.iter().map(|off| off.abs()).collect();
    if points.len() < FEWEST || off.iter().any(|off| !off.is_finite()) {
        return None;
    }
    let mut sorted = off.clone();
    sorted.sort_by(f64::total_cmp);
    // A spoilt point moves three numbers: one third from below is of the others.
    let usual = sorted[sorted.len() / 3].max(DIGITS * points[0].loss.abs());
    let (first, _) = off.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let place = first + 1;
    let is_far = off[first] > FAR * usual;
    // It draws the lines of its neighbours to its side. A curve that bends has one sign throughout.
    let mut beside = [first.checked_sub(1), Some(first + 1)].into_iter().flatten();
    let draws = beside.all(|i| signed.get(i).is_none_or(|other| other * signed[first] < 0.0));
    let mut others = points.to_vec();
    others.remove(place);
    let losses = || others.iter().map(|point| point.loss);
    let span = losses().fold(f64::MIN, f64::max) - losses().fold(f64::MAX, f64::min);
    let is_far = is_far && off[first] > SHARE * span;
    let is_ordinary = |three: &[Point]| off_it(three).abs() <= ORDINARY * off[first];
    let near = place.saturating_sub(2)..(place + 2).min(others.len());
    (is_far && draws && others[near].windows(3).all(is_ordinary)).then_some(Spoilt {
        place,
        nats: off[first],
        times: off[first] / usual,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve points of a power, with an error in the fourth digit.
    fn points() -> Vec<Point> {
        let point = |i: usize| {
            let tokens = 1e5 * 1.3_f64.powi(i as i32);
            let error = 3e-4 * (2.7 * i as f64).sin();
            Point { tokens, loss: 1.8 + 0.2 * (tokens / 1e5).powf(-0.7) + error, weight: 1.0 }
        };
        (0..12).map(point).collect()
    }

    #[test]
    fn one_digit_wrong_is_found_and_a_fall_that_stays_is_not() {
        assert_eq!(find(&points()), None);
        for place in [1, 5, 10] {
            for by in [-0.1, 0.08, 0.3] {
                let mut spoilt = points();
                spoilt[place].loss += by;
                let found = find(&spoilt).unwrap_or_else(|| panic!("{place} {by}"));
                assert_eq!(found.place, place);
                assert!((found.nats / f64::abs(by) - 1.0).abs() < 0.2, "{found:?}");
            }
        }
        let mut falls = points();
        falls[6..].iter_mut().for_each(|point| point.loss -= 0.3);
        assert_eq!(find(&falls), None);
        // The first steps of a training from scratch.
        let mut steep = points();
        steep[0].loss += 5.0;
        assert_eq!(find(&steep), None);
        assert_eq!(find(&points()[..6]), None);
    }
}
