//! The learning rate as a function of tokens: warm-up, constant, and an optional decay at the end.

use ledger::{Phase, Schedule, Tokens};

/// The factor on the peak learning rate for the step that begins after `seen` of `total` tokens,
/// and the phase of that step.
///
/// Warm-up rises linearly and reaches the peak with its last step. Decay falls linearly towards 0.
/// `step` is the number of tokens per step.
pub fn at(schedule: &Schedule, seen: Tokens, step: Tokens, total: Tokens) -> (f64, Phase) {
    let (after, total) = (seen.0 + step.0, total.0);
    if seen.0 < schedule.warmup.0 {
        return ((after as f64 / schedule.warmup.0 as f64).min(1.0), Phase::Warmup);
    }
    let left = total.saturating_sub(seen.0);
    if left <= schedule.decay.0 && schedule.decay.0 > 0 {
        // The added `step` keeps the last rate above 0 and makes the first step of the decay the
        // first below the peak.
        return (left as f64 / (schedule.decay.0 + step.0) as f64, Phase::Decay);
    }
    (1.0, Phase::Constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(warmup: u64, decay: u64, step: u64, steps: u64) -> Vec<(f64, Phase)> {
        let schedule = Schedule { warmup: Tokens(warmup), decay: Tokens(decay) };
        (0..steps)
            .map(|i| at(&schedule, Tokens(i * step), Tokens(step), Tokens(steps * step)))
            .collect()
    }

    #[test]
    fn a_run_without_warm_up_or_decay_is_constant() {
        assert!(curve(0, 0, 10, 5).iter().all(|&point| point == (1.0, Phase::Constant)));
    }

    #[test]
    fn warm_up_rises_in_a_line_and_decay_falls_to_its_last_step() {
        let rates = curve(20, 30, 10, 10);
        let expected = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25];
        for ((rate, _), expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
        let phases: Vec<Phase> = rates.iter().map(|point| point.1).collect();
        assert_eq!(phases[..2], [Phase::Warmup; 2]);
        assert_eq!(phases[2..7], [Phase::Constant; 5]);
        assert_eq!(phases[7..], [Phase::Decay; 3]);
    }

    proptest! {
        #[test]
        fn the_rate_is_positive_and_never_jumps(warmup in 0_u64..400, decay in 0_u64..400, step in 1_u64..20) {
            let steps = (warmup + decay) / step + 50;
            let rates = curve(warmup, decay, step, steps);
            prop_assert!(rates.iter().all(|&(rate, _)| rate > 0.0 && rate <= 1.0));
            // Moving by one step changes the rate by no more than its share of the shorter ramp.
            let rise = if warmup == 0 { 1.0 } else { (step as f64 / warmup as f64).min(1.0) };
            let fall = 2.0 * step as f64 / (decay + step) as f64;
            for pair in rates.windows(2) {
                let change = pair[1].0 - pair[0].0;
                prop_assert!(change <= rise + 1e-12 && -change <= fall + 1e-12, "{pair:?}");
            }
        }
    }
}
