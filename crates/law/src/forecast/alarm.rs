//! What can go wrong with a run, by its points alone.

use ledger::short_count;
use serde::{Deserialize, Serialize};

use super::measured::Measured;
use crate::levels::median;
use crate::neighbours::off_the_line;
use crate::table::Point;

/// Something that is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    pub(super) kind: AlarmKind,
    pub(super) sentence: String,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// The held-out loss rises, and so does the training loss where it is known.
    Diverging,
    /// The held-out loss rises while the training loss falls.
    OverFitting,
    /// The loss falls again after a plateau, below what the points before let expect.
    PlateauBroke,
}

impl Alarm {
    /// What is wrong.
    pub fn kind(&self) -> AlarmKind {
        self.kind
    }

    /// The same for a person.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// A loss counts as risen from so many deviations of the noise on.
const DEVIATIONS: f64 = 4.0;
/// And by no less than this, nats: evaluations of a quiet run agree to thousandths.
const LEAST_RISE: f64 = 0.005;
/// So many points must have risen: one may be spoilt.
const RISEN: usize = 2;

/// The alarm of a loss that rises, if it does.
pub(super) fn rising(run: &Measured) -> Option<Alarm> {
    let points = run.all();
    let lowest = points.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
    let after: Vec<&Point> = points.iter().filter(|p| p.tokens > lowest.tokens).collect();
    let before = &points[..points.len() - after.len()];
    let limit = lowest.loss + (DEVIATIONS * noise(before).unwrap_or(0.0)).max(LEAST_RISE);
    // The last ones: a bump that has passed is none.
    let risen = after.iter().rev().take_while(|point| point.loss > limit).count();
    (risen >= RISEN).then_some(())?;
    let last = after.last()?;
    let rise = format!(
        "the held-out loss is {:.4} after {} tokens, and was {:.4} after {}",
        last.loss,
        short_count(last.tokens),
        lowest.loss,
        short_count(lowest.tokens)
    );
    Some(match training_falls(run, lowest.tokens) {
        Some(true) => Alarm {
            kind: AlarmKind::OverFitting,
            sentence: format!(
                "{rise}, while the training loss fell: the run learns its text by heart"
            ),
        },
        _ => Alarm { kind: AlarmKind::Diverging, sentence: format!("{rise}: the run diverges") },
    })
}

/// The alarm of a loss that has left the interval of a plateau downwards.
pub(super) fn plateau_broke(last: &Point, low: f64) -> Alarm {
    Alarm {
        kind: AlarmKind::PlateauBroke,
        sentence: format!(
            "the loss is {:.4} after {} tokens, and the points before the last ones let expect at \
             least {low:.4}: a plateau broke, so older points say little of what comes",
            last.loss,
            short_count(last.tokens)
        ),
    }
}

/// Whether the training loss fell from around some tokens to the last. `None` where too few are
/// known.
fn training_falls(run: &Measured, from: f64) -> Option<bool> {
    let after: Vec<f64> =
        run.training().iter().filter(|p| p.tokens >= from).map(|point| point.loss).collect();
    let middle = after.len() / 2;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (middle > 0).then(|| mean(&after[middle..]) < mean(&after[..middle]))
}

/// The noise of points by how far each lies from the line through its neighbours. `None` of fewer
/// than three.
fn noise(points: &[Point]) -> Option<f64> {
    let off = points.windows(3).filter(|three| three[2].tokens > three[0].tokens).map(|three| {
        let (off, variance) = off_the_line([0, 1, 2].map(|i| three[i].place()));
        off.abs() / variance.sqrt()
    });
    /// The median of the absolute value of a standard normal number.
    const MEDIAN: f64 = 0.6745;
    median(off.collect()).map(|off| off / MEDIAN)
}

#[cfg(test)]
mod tests {
    use ledger::Tokens;

    use super::*;

    fn run(held_out: &[f64], training: &[f64]) -> Measured {
        let points: Vec<ledger::Point> = (1_u64..)
            .zip(held_out)
            .enumerate()
            .map(|(i, (step, loss))| ledger::Point {
                eval_loss: Some(*loss),
                loss: training.get(i).copied(),
                ..ledger::Point::logged(step, Tokens(1000 * step))
            })
            .collect();
        Measured::new(&points)
    }

    fn kind(held_out: &[f64], training: &[f64]) -> Option<AlarmKind> {
        rising(&run(held_out, training)).map(|alarm| alarm.kind)
    }

    const UP: [f64; 8] = [3.0, 2.8, 2.7, 2.65, 2.66, 2.69, 2.73, 2.78];

    #[test]
    fn a_rise_is_over_fitting_or_divergence_by_what_the_training_loss_does() {
        let falls = [3.0, 2.7, 2.5, 2.3, 2.1, 1.9, 1.7, 1.5];
        assert_eq!(kind(&UP, &falls), Some(AlarmKind::OverFitting));
        assert_eq!(kind(&UP, &UP), Some(AlarmKind::Diverging));
        assert_eq!(kind(&UP, &[]), Some(AlarmKind::Diverging));
    }

    #[test]
    fn a_spike_a_passed_bump_and_plain_noise_are_no_rise() {
        assert_eq!(kind(&[3.0, 2.8, 2.7, 2.65, 2.62, 2.9], &[]), None);
        assert_eq!(kind(&[3.0, 2.8, 2.7, 2.9, 2.95, 2.65, 2.60], &[]), None);
        assert_eq!(kind(&[2.70, 2.72, 2.69, 2.71, 2.70, 2.72, 2.71, 2.72], &[]), None);
        assert_eq!(kind(&[2.7], &[]), None);
    }
}
