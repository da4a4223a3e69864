//! When a run is evaluated: at token counts evenly spaced on a log scale, and at its end.

use ledger::{EarlierRun, RunSpec};

use crate::error::{Error, Result};

/// Tokens of one optimiser step.
pub fn tokens_per_step(spec: &RunSpec) -> u64 {
    spec.batch as u64 * spec.context as u64
}

/// Steps of a run: the requested tokens, rounded up to whole steps.
pub fn steps(spec: &RunSpec) -> u64 {
    spec.tokens.0.div_ceil(tokens_per_step(spec))
}

/// The steps after which held-out loss is measured, ascending. The last step is always included.
pub fn evaluation_steps(spec: &RunSpec) -> Vec<u64> {
    let last = steps(spec);
    let step = tokens_per_step(spec) as f64;
    let first = (spec.evaluation.first.0 as f64 / step).clamp(1.0, last as f64);
    // A single point has no gap; 1 avoids a division by zero.
    let gaps = spec.evaluation.points.saturating_sub(1).max(1) as f64;
    let mut steps: Vec<u64> = (0..spec.evaluation.points)
        .map(|point| (first * (last as f64 / first).powf(point as f64 / gaps)).round() as u64)
        .map(|step| step.clamp(1, last))
        .collect();
    steps.push(last);
    steps.sort_unstable();
    // Early points round to the same step when a step is large.
    steps.dedup();
    steps
}

/// The same for a run that was extended. Up to the step where it ended before, it keeps the steps
/// that it had then.
pub fn extended(spec: &RunSpec, earlier: &[EarlierRun]) -> Vec<u64> {
    let mut steps = Vec::new();
    let mut after = 0;
    for was in earlier {
        let of = evaluation_steps(&RunSpec { tokens: was.tokens, ..spec.clone() });
        steps.extend(of.into_iter().filter(|&step| step > after && step <= was.steps));
        after = was.steps;
    }
    steps.extend(evaluation_steps(spec).into_iter().filter(|&step| step > after));
    steps
}

/// Checks every number of a spec that a run divides by, multiplies by or allocates with.
///
/// # Errors
/// [`Error::Setting`] for the first value that no run can use.
pub fn check(spec: &RunSpec) -> Result<()> {
    let refuse = |setting, found: String, expected: &str| {
        Err(Error::Setting { setting, found, expected: expected.into() })
    };
    let counts = [
        ("context", spec.context),
        ("batch", spec.batch),
        ("micro_batch", spec.micro_batch),
        ("evaluation.points", spec.evaluation.points),
        ("evaluation.context", spec.evaluation.context),
        ("evaluation.stride", spec.evaluation.stride),
    ];
    for (setting, found) in counts {
        // With this limit the product of two counts stays below 2^48.
        if !(1..=1 << 24).contains(&found) {
            return refuse(setting, found.to_string(), "1 to 16777216");
        }
    }
    if spec.tokens.0 == 0 || spec.evaluation.tokens.0 == 0 {
        let setting = if spec.tokens.0 == 0 { "tokens" } else { "evaluation.tokens" };
        return refuse(setting, "0".into(), "1 or more");
    }
    if spec.evaluation.stride > spec.evaluation.context {
        let expected = format!("at most the window of {} tokens", spec.evaluation.context);
        return refuse("evaluation.stride", spec.evaluation.stride.to_string(), &expected);
    }
    let optimizer = &spec.optimizer;
    let positive = [
        ("optimizer.learning_rate", optimizer.learning_rate),
        ("optimizer.epsilon", optimizer.epsilon),
        ("optimizer.clip_norm", optimizer.clip_norm),
    ];
    for (setting, found) in positive {
        if !(found > 0.0 && found.is_finite()) {
            return refuse(setting, found.to_string(), "a positive number");
        }
    }
    for (setting, found) in
        [("optimizer.beta1", optimizer.beta1), ("optimizer.beta2", optimizer.beta2)]
    {
        if !(0.0..1.0).contains(&found) {
            return refuse(setting, found.to_string(), "0 to less than 1");
        }
    }
    // A step multiplies decayed weights by 1 - learning rate x decay, which must stay positive.
    if !(optimizer.weight_decay >= 0.0 && optimizer.weight_decay * optimizer.learning_rate < 1.0) {
        let expected = "0 or more, and less than 1 / learning rate";
        return refuse("optimizer.weight_decay", optimizer.weight_decay.to_string(), expected);
    }
    let objective = &spec.objective;
    if !(0.0..=1.0).contains(&objective.weight()) {
        return refuse("distil_weight", objective.weight().to_string(), "0 to 1");
    }
    if !(objective.temperature() > 0.0 && objective.temperature().is_finite()) {
        let found = objective.temperature().to_string();
        return refuse("temperature", found, "a positive number");
    }
    let (warmup, decay) = (spec.schedule.warmup.0, spec.schedule.decay.0);
    if warmup.checked_add(decay).is_none_or(|ramps| ramps > spec.tokens.0) {
        let expected = format!("together at most the run's {} tokens", spec.tokens.0);
        return refuse(
            "schedule",
            format!("{warmup} tokens of warm-up and {decay} of decay"),
            &expected,
        );
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn sample() -> RunSpec {
    use ledger::{AdamW, Evaluation, Schedule, Tokens, testing::run_spec};
    let spec = run_spec();
    RunSpec {
        context: 16,
        batch: 4,
        micro_batch: 2,
        tokens: Tokens(64 * 1000),
        seed: 1,
        optimizer: AdamW { learning_rate: 1e-3, ..spec.optimizer },
        schedule: Schedule { warmup: Tokens(640), decay: Tokens(0) },
        evaluation: Evaluation {
            points: 10,
            first: Tokens(64),
            context: 16,
            stride: 16,
            tokens: Tokens(1000),
            ..spec.evaluation
        },
        ..run_spec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Tokens;

    #[test]
    fn evaluations_are_evenly_spaced_in_the_logarithm_of_tokens() {
        assert_eq!(evaluation_steps(&sample()), [1, 2, 5, 10, 22, 46, 100, 215, 464, 1000]);
    }

    #[test]
    fn a_short_run_is_evaluated_once_a_step_at_most_and_at_its_end() {
        let mut spec = sample();
        spec.tokens = Tokens(3 * 64 - 5);
        assert_eq!(steps(&spec), 3);
        assert_eq!(evaluation_steps(&spec), [1, 2, 3]);
        spec.evaluation.points = 1;
        assert_eq!(evaluation_steps(&spec), [1, 3]);
        spec.evaluation.first = Tokens(u64::MAX);
        assert_eq!(evaluation_steps(&spec), [3]);
    }

    #[test]
    fn an_extended_run_keeps_its_evaluations_and_goes_on_with_those_of_its_new_end() {
        let spec = sample();
        let was = |steps: u64, planned: u64| EarlierRun {
            id: String::new(),
            tokens: Tokens(64 * planned),
            steps,
        };
        assert_eq!(extended(&spec, &[]), evaluation_steps(&spec));
        // 1, 2, 3, 5, 8, 13, 22, 36, 60, 100 of the run of 100 steps.
        let expected = [1, 2, 3, 5, 8, 13, 22, 36, 60, 100, 215, 464, 1000];
        assert_eq!(extended(&spec, &[was(100, 100)]), expected);
        // Ended early after 36 steps, and then extended to its own end.
        assert_eq!(extended(&spec, &[was(46, 1000)]), evaluation_steps(&spec));
        let twice = extended(&spec, &[was(36, 100), was(46, 1000)]);
        assert_eq!(twice, [1, 2, 3, 5, 8, 13, 22, 36, 46, 100, 215, 464, 1000]);
    }

    fn mix(weight: f64, temperature: f64) -> ledger::Objective {
        ledger::Objective::Mix { teacher: "aa".into(), cache: None, temperature, weight }
    }

    #[test]
    fn settings_that_no_run_can_have_are_named() {
        type Change = fn(&mut RunSpec);
        let cases: [(&str, Change); 12] = [
            ("context", |spec| spec.context = 0),
            ("batch", |spec| spec.batch = usize::MAX),
            ("tokens", |spec| spec.tokens = Tokens(0)),
            ("evaluation.stride", |spec| spec.evaluation.stride = 17),
            ("optimizer.learning_rate", |spec| spec.optimizer.learning_rate = f64::NAN),
            ("optimizer.beta2", |spec| spec.optimizer.beta2 = 1.0),
            ("optimizer.weight_decay", |spec| spec.optimizer.weight_decay = 1001.0),
            ("schedule", |spec| spec.schedule.decay = Tokens(u64::MAX)),
            ("optimizer.clip_norm", |spec| spec.optimizer.clip_norm = 0.0),
            ("distil_weight", |spec| spec.objective = mix(1.5, 1.0)),
            ("distil_weight", |spec| spec.objective = mix(f64::NAN, 1.0)),
            ("temperature", |spec| spec.objective = mix(0.5, 0.0)),
        ];
        assert!(check(&sample()).is_ok());
        for (name, change) in cases {
            let mut spec = sample();
            change(&mut spec);
            let Err(Error::Setting { setting, .. }) = check(&spec) else {
                panic!("{name} was accepted")
            };
            assert_eq!(setting, name);
        }
    }
}
