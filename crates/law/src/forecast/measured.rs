//! The points of one run, and which of them a forecast may use.

use ledger::Phase;

use crate::table::{Point, phases};

/// A run that is watched: its held-out and training losses, and what the learning rate did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Held-out points at a steady learning rate.
    steady: Vec<Point>,
    /// All held-out points after step 0.
    all: Vec<Point>,
    /// Training losses.
    training: Vec<Point>,
    schedule: Schedule,
    planned: Option<f64>,
    warmed_up: usize,
}

/// What the learning rate did after its warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Schedule {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// It stayed the same.
    Constant,
    /// It stayed the same, and falls from these tokens on.
    Cooled(f64),
    /// It falls all along, so no part of the curve is of a constant rate.
    Falling,
}

/// Longer curves are thinned to so many points, evenly in `ln D`.
const MOST: usize = 64;

impl Measured {
    /// The points of a run, in any order. Points without tokens are left out.
    ///
    /// ```
    /// use law::forecast::Measured;
    /// use ledger::{Phase, Point, Tokens};
    /// let point = |step: u64, phase| Point {
    ///     eval_loss: Some(3.0), ..Point::new(step, Tokens(1000 * step), 0.0, phase)
    /// };
    /// let run = Measured::new(&[point(0, Phase::Warmup), point(1, Phase::Warmup), point(2, Phase::Constant)]);
    /// assert_eq!((run.points().len(), run.tokens()), (1, Some(2000.0)));
    /// ```
    pub fn new(points: &[ledger::Point]) -> Self {
        let at = |point: &ledger::Point, loss: Option<f64>| {
            let tokens = point.tokens.0 as f64;
            let loss = loss.filter(|loss| loss.is_finite() && tokens > 0.0)?;
            Some(Point { tokens, loss, weight: 1.0 })
        };
        let mut held_out: Vec<(Point, Option<Phase>, Option<f64>)> = points
            .iter()
            .filter_map(|p| Some((at(p, p.eval_loss)?, p.phase, p.learning_rate)))
            .collect();
        held_out.sort_by(|a, b| a.0.tokens.total_cmp(&b.0.tokens));
        // An evaluation at the end of one phase and the start of the next is written twice.
        held_out.dedup_by(|later, first| later.0.tokens == first.0.tokens && later.1 == first.1);
        name_phases(&mut held_out);
        let of = |wanted: &dyn Fn(Option<Phase>) -> bool| -> Vec<Point> {
            held_out.iter().filter(|(_, phase, _)| wanted(*phase)).map(|(p, ..)| *p).collect()
        };
        let constant = of(&|phase| matches!(phase, None | Some(Phase::Constant)));
        let decay = of(&|phase| phase == Some(Phase::Decay));
        let warmed_up = of(&|phase| phase == Some(Phase::Warmup)).len();
        let is_named = held_out.iter().any(|(_, phase, _)| phase.is_some());
        let (steady, schedule) = match (constant.is_empty(), decay.first()) {
            (true, Some(_)) => (decay.clone(), Schedule::Falling),
            (_, Some(first)) => (constant, Schedule::Cooled(first.tokens)),
            (_, None) if is_named => (constant, Schedule::Constant),
            (_, None) => (constant, Schedule::Unknown),
        };
        let mut training: Vec<Point> = points.iter().filter_map(|p| at(p, p.loss)).collect();
        training.sort_by(|a, b| a.tokens.total_cmp(&b.tokens));
        let all = held_out.into_iter().map(|(point, ..)| point).collect();
        Self { steady, all, training, schedule, planned: None, warmed_up }
    }

    /// With the tokens that the run is planned to end at.
    pub fn planned(self, tokens: Option<f64>) -> Self {
        Self { planned: tokens, ..self }
    }

    /// Held-out points at a steady learning rate: what a forecast is made from.
    pub fn points(&self) -> &[Point] {
        &self.steady
    }

    /// Tokens of the last held-out point of any phase.
    pub fn tokens(&self) -> Option<f64> {
        self.all.last().map(|point| point.tokens)
    }

    /// The same run without its later held-out points.
    pub(super) fn first(&self, count: usize) -> Self {
        let steady = self.steady[..count.min(self.steady.len())].to_vec();
        Self { all: steady.clone(), steady, ..self.clone() }
    }

    pub(super) fn all(&self) -> &[Point] {
        &self.all
    }

    pub(super) fn training(&self) -> &[Point] {
        &self.training
    }

    pub(super) fn schedule(&self) -> Schedule {
        self.schedule
    }

    pub(super) fn planned_tokens(&self) -> Option<f64> {
        self.planned
    }

    pub(super) fn warmed_up(&self) -> usize {
        self.warmed_up
    }
}

/// Names phases from the learning rate, where no point names one and every point has a rate.
fn name_phases(points: &mut [(Point, Option<Phase>, Option<f64>)]) {
    let with_rate = |(point, _, rate): &(Point, Option<Phase>, Option<f64>)| {
        rate.map(|rate| (point.tokens, rate))
    };
    let known: Option<Vec<(f64, f64)>> = points.iter().map(with_rate).collect();
    let Some(known) = known.filter(|_| points.iter().all(|(_, phase, _)| phase.is_none())) else {
        return;
    };
    for ((_, phase, _), found) in points.iter_mut().zip(phases::by_rate(&known)) {
        *phase = Some(found);
    }
}

/// Means of neighbours, where there are very many: evenly in `ln D`. A mean of n evaluations counts
/// as the root of n, because neighbours err together.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= MOST {
        return points.to_vec();
    }
    let (first, last) = (points[0].tokens.ln(), points[points.len() - 1].tokens.ln());
    let bin = |point: &Point| {
        let share = (point.tokens.ln() - first) / (last - first);
        ((share * MOST as f64) as usize).min(MOST - 1)
    };
    let means = points.chunk_by(|a, b| bin(a) == bin(b)).map(|part| {
        let n = part.len() as f64;
        let mean = |of: fn(&Point) -> f64| part.iter().map(of).sum::<f64>() / n;
        Point {
            tokens: mean(|point| point.tokens.ln()).exp(),
            loss: mean(|point| point.loss),
            weight: n.sqrt(),
        }
    });
    means.collect()
}

#[cfg(test)]
mod tests {
    use ledger::Tokens;

    use super::*;

    fn run(rates: &[f64]) -> Measured {
        let points: Vec<ledger::Point> = (1_u64..)
            .zip(rates)
            .map(|(step, rate)| ledger::Point {
                eval_loss: Some(4.0 - step as f64 / 10.0),
                learning_rate: Some(*rate),
                ..ledger::Point::logged(step, Tokens(step * 100))
            })
            .collect();
        Measured::new(&points)
    }

    #[test]
    fn the_rate_tells_warm_up_constant_and_decay_apart() {
        let wsd = run(&[0.1, 1.0, 1.0, 1.0, 0.5, 0.0]);
        assert_eq!((wsd.points().len(), wsd.warmed_up()), (3, 1));
        assert_eq!(wsd.schedule(), Schedule::Cooled(500.0));
        let cosine = run(&[0.5, 1.0, 0.9, 0.6, 0.2]);
        assert_eq!((cosine.points().len(), cosine.schedule()), (4, Schedule::Falling));
        assert_eq!(run(&[1.0, 1.0, 1.0]).schedule(), Schedule::Constant);
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_mean() {
        let points: Vec<Point> =
            (1..=1000).map(|i| Point { tokens: f64::from(i), loss: 5.0, weight: 1.0 }).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MOST && thin[0].tokens < 1.5 && thin[thin.len() - 1].tokens > 900.0);
        assert!(thin.iter().all(|point| point.loss == 5.0));
        assert_eq!(thinned(&points[..10]), points[..10]);
    }
}
