//! Phases of training by the learning rate, where nothing names them.

use ledger::Phase;

/// Learning rates within this share of each other are equal.
const SAME_RATE: f64 = 1e-6;
/// At least this many points at the highest learning rate form a constant phase. Fewer show no
/// curve.
const FEWEST_CONSTANT: usize = 3;

/// The phase of each point, by its tokens and its learning rate. At its peak the rate is constant,
/// before that it warms up, after that it decays. A schedule that decays from its first step
/// reaches its peak but does not stay there.
pub(crate) fn by_rate(points: &[(f64, f64)]) -> Vec<Phase> {
    let peak = points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let is_peak = |rate: f64| rate >= peak * (1.0 - SAME_RATE);
    let at_peak = || points.iter().filter(|(_, rate)| is_peak(*rate));
    let first = at_peak().map(|(tokens, _)| *tokens).fold(f64::INFINITY, f64::min);
    let stays = at_peak().count() >= FEWEST_CONSTANT || at_peak().count() == points.len();
    let phase = |(tokens, rate): &(f64, f64)| {
        if *tokens < first {
            Phase::Warmup
        } else if is_peak(*rate) && stays {
            Phase::Constant
        } else {
            Phase::Decay
        }
    };
    points.iter().map(phase).collect()
}
