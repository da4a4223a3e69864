//! Collects the rows of one run. The learning rate decides which of its points are fitted.

use ledger::{Phase, PointRow};

use super::phases;
use super::rows::base;
use super::run::{Point, Run};
use super::spoilt::{self, Spoilt};
use crate::error::{Fault, Result};
use crate::warning::{Notice, Warning};

/// A run that is still being collected.
pub(super) struct Gathered {
    first: usize,
    run: Run,
    points: Vec<(usize, Point, Option<Phase>)>,
    /// In the same order as `points`.
    learning_rates: Vec<Option<f64>>,
    repeated: bool,
    /// Whether the method sets weights to zero, and the row that says so.
    zeroed: Option<(bool, usize)>,
}

impl Gathered {
    pub(super) fn new(row: PointRow, number: usize) -> Self {
        let run = Run {
            name: row.run.clone(),
            base: base(&row),
            n0: row.n0,
            rate: row.rate,
            loss0: row.loss0,
            points: Vec::new(),
        };
        let mut gathered = Self {
            first: number,
            run,
            points: Vec::new(),
            learning_rates: Vec::new(),
            repeated: false,
            zeroed: row.zeroed.map(|zeroed| (zeroed, number)),
        };
        gathered.push(&row, number);
        gathered
    }

    /// Adds a row. Values that a run has only once must be the same in all rows.
    pub(super) fn add(&mut self, row: PointRow, number: usize) -> Result<()> {
        let Run { n0, rate, loss0, .. } = self.run;
        let numbers = [("n0", row.n0, n0), ("rate", row.rate, rate), ("loss0", row.loss0, loss0)];
        let (base, mine) = (base(&row), &self.run.base);
        let changed = numbers
            .iter()
            .find(|(_, found, expected)| found != expected)
            .map(|(column, found, expected)| (*column, found.to_string(), expected.to_string()))
            .or_else(|| (base != *mine).then(|| ("base", base, mine.clone())));
        if let Some((column, found, expected)) = changed {
            return Err(Fault::RunChanges {
                row: number,
                first: self.first,
                run: row.run,
                column,
                found,
                expected,
            }
            .into());
        }
        match (self.zeroed, row.zeroed) {
            (Some((expected, first)), Some(found)) if found != expected => {
                return Err(Fault::RunChanges {
                    row: number,
                    first,
                    run: row.run,
                    column: "zeroed",
                    found: found.to_string(),
                    expected: expected.to_string(),
                }
                .into());
            }
            (None, Some(zeroed)) => self.zeroed = Some((zeroed, number)),
            _ => {}
        }
        self.push(&row, number);
        Ok(())
    }

    fn push(&mut self, row: &PointRow, number: usize) {
        let point = Point { tokens: row.tokens, loss: row.loss, weight: row.weight.unwrap_or(1.0) };
        self.points.push((number, point, row.phase));
        self.learning_rates.push(row.learning_rate);
        self.repeated |= row.repeated;
    }

    /// Names phases from the learning rate, if no row names one and every row has a rate.
    fn name_phases(&mut self) {
        if self.points.iter().any(|(_, _, phase)| phase.is_some()) {
            return;
        }
        let with_rate = |((_, point, _), rate): (&(usize, Point, Option<Phase>), &Option<f64>)| {
            rate.map(|rate| (point.tokens, rate))
        };
        let known: Option<Vec<_>> =
            self.points.iter().zip(&self.learning_rates).map(with_rate).collect();
        let Some(known) = known else { return };
        for ((_, _, phase), found) in self.points.iter_mut().zip(phases::by_rate(&known)) {
            *phase = Some(found);
        }
    }

    /// Whether the rows say that the method sets weights to zero.
    pub(super) fn zeroed(&self) -> Option<bool> {
        self.zeroed.map(|(zeroed, _)| zeroed)
    }

    /// Sorts the points and sets aside those of phases that are not fitted.
    pub(super) fn finish(mut self) -> Result<(Run, Vec<Warning>)> {
        self.name_phases();
        self.points.sort_by(|a, b| a.1.tokens.total_cmp(&b.1.tokens).then(a.0.cmp(&b.0)));
        for pair in self.points.windows(2) {
            // One token count may appear once in each phase.
            if pair[0].1.tokens == pair[1].1.tokens && pair[0].2 == pair[1].2 {
                return Err(Fault::Duplicate {
                    row: pair[1].0,
                    first: pair[0].0,
                    run: self.run.name,
                    tokens: pair[1].1.tokens,
                }
                .into());
            }
        }
        let mut warnings = Vec::new();
        if self.repeated {
            warnings.push(Notice::RepeatedData { run: self.run.name.clone() }.into());
        }
        let phases: Vec<Option<Phase>> = self.points.iter().map(|(_, _, phase)| *phase).collect();
        let has = |phase| phases.contains(&Some(phase));
        let steady = self.points.iter().any(|(_, _, p)| matches!(p, None | Some(Phase::Constant)));
        // A constant rate is fitted first, a decay only without one, and a warm-up only alone.
        let wanted = |phase: Option<Phase>| match phase {
            None | Some(Phase::Constant) => true,
            Some(Phase::Decay) => !steady,
            Some(Phase::Warmup) => !steady && !has(Phase::Decay),
        };
        if has(Phase::Warmup) && (steady || has(Phase::Decay)) {
            warnings.push(Notice::WarmUpLeftOut { run: self.run.name.clone() }.into());
        }
        if has(Phase::Decay) {
            let run = self.run.name.clone();
            warnings.push(Warning::from(match steady {
                true => Notice::MixedSchedule { run },
                false => Notice::DecayingSchedule { run },
            }));
        }
        self.points.retain(|(_, _, phase)| wanted(*phase));
        self.run.points = self.points.iter().map(|(_, point, _)| *point).collect();
        if let Some(Spoilt { place, nats, times }) = spoilt::find(&self.run.points) {
            let run = self.run.name.clone();
            warnings
                .push(Notice::SpoiltPoint { row: self.points[place].0, nats, times, run }.into());
        }
        // Only the end point of a decay is fitted. In the middle of a decay the loss is not what a
        // run of that length would end with.
        if !steady && has(Phase::Decay) {
            self.run.points.drain(..self.run.points.len() - 1);
        }
        Ok((self.run, warnings))
    }
}
