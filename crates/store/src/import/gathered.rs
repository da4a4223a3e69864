//! The numbers of a log, by name, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::ImportError;
use super::words::{Word, meaning};
use crate::Result;

/// The most numbers of one column that are kept, other than held-out losses. Beyond them, every
/// second one is dropped, again and again.
const KEPT: usize = 1 << 16;
/// The most held-out losses. They are never thinned out.
const HELD_OUT: usize = 1 << 20;
/// The most columns that mean something, and the most other names that are remembered.
const COLUMNS: usize = 1024;
const OTHERS: usize = 64;
/// How often a run may start again from an earlier step.
const RESTARTS: u64 = 20;

/// What a user says about the names in a log, and what follows from the log about its batches.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    mapped: BTreeMap<String, Word>,
    names: BTreeMap<String, Option<Word>>,
    columns: BTreeMap<String, Column>,
    others: BTreeSet<String>,
    tokens_now: Option<(u64, f64)>,
    stated: Stated,
    remarks: Vec<String>,
    numbered: bool,
}

/// What a log states about one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    /// Sequences of a step, on all processes.
    pub(super) global_batch: Option<u64>,
    /// Sequences of a pass on one process.
    pub(super) batch: Option<u64>,
    /// Passes of a step.
    pub(super) accumulation: Option<u64>,
    /// Tokens of a sequence.
    pub(super) length: Option<u64>,
    /// Whether the first step has number 0.
    pub(super) from_zero: bool,
}

/// The numbers of one name.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) word: Word,
    pub(super) points: Vec<Seen>,
    last: Option<Seen>,
    every: u64,
    /// How many were taken in.
    pub(super) count: u64,
    /// How many were NaN or infinite, and the first step of one.
    pub(super) not_finite: u64,
    pub(super) not_finite_at: u64,
    /// How many replaced another value of the same step.
    pub(super) replaced: u64,
    /// How often the steps went back, and the first time.
    pub(super) back: u64,
    pub(super) back_first: (u64, u64),
    /// Of the tokens of single steps: the sum so far, whether steps are missing, and the one value.
    sum: f64,
    pub(super) gap: bool,
    pub(super) constant: Option<f64>,
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) step: u64,
    pub(super) value: f64,
    /// The tokens that the log states at this step.
    pub(super) tokens: Option<f64>,
}

impl Gathered {
    /// Reads a log with these names for our words. A word that is mapped has no other name.
    pub(super) fn new(mapped: BTreeMap<String, Word>) -> Self {
        Self { mapped, ..Self::default() }
    }

    /// What a name means in this log.
    pub(super) fn word(&mut self, name: &str) -> Option<Word> {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let word = match self.mapped.get(name) {
            Some(word) => Some(*word),
            None => meaning(name).filter(|word| !self.mapped.values().any(|taken| taken == word)),
        };
        // A hostile log could have a new name in every row.
        if self.names.len() < COLUMNS * 4 || self.mapped.contains_key(name) {
            self.names.insert(name.to_owned(), word);
        }
        if word.is_none() && self.others.len() < OTHERS {
            self.others.insert(name.chars().take(80).collect());
        }
        word
    }

    /// Takes in the numbers of one row.
    pub(super) fn row(&mut self, step: u64, numbers: &[(&str, f64)]) -> Result<()> {
        // Tokens first: a loss in the same row is at these tokens, wherever they stand in it.
        for first in [true, false] {
            for &(name, value) in numbers {
                let Some(word) = self.word(name) else { continue };
                if (word == Word::Tokens) == first {
                    self.number(name, word, step, value)?;
                }
            }
        }
        Ok(())
    }

    /// Takes in one number.
    pub(super) fn number(&mut self, name: &str, word: Word, step: u64, value: f64) -> Result<()> {
        if word == Word::Step {
            return Ok(());
        }
        if !self.columns.contains_key(name) {
            if self.columns.len() >= COLUMNS {
                return Err(ImportError::TooMany { what: "names", limit: COLUMNS }.into());
            }
            self.columns.insert(name.to_owned(), Column::new(word));
        }
        let tokens = self.tokens_now.filter(|(at, _)| *at == step).map(|(_, tokens)| tokens);
        let column = self.columns.get_mut(name).expect("it has just been put there");
        column.push(name, Seen { step, value, tokens })?;
        if word == Word::Tokens && value.is_finite() {
            self.tokens_now = Some((step, value));
        }
        Ok(())
    }

    /// Says something about the log, once.
    pub(super) fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) && self.remarks.len() < OTHERS {
            self.remarks.push(remark);
        }
    }

    /// Says that rows carry no step, so that they are counted.
    pub(super) fn number_rows(&mut self) {
        self.numbered = true;
    }

    /// Whether rows carry no step.
    pub(super) fn is_numbered(&self) -> bool {
        self.numbered
    }

    /// What the log states about its steps.
    pub(super) fn stated(&mut self) -> &mut Stated {
        &mut self.stated
    }

    /// Names that mean nothing to us, or everything that is there if `all`.
    pub(super) fn found(&self, all: bool) -> Vec<String> {
        let known = self.columns.keys().filter(|_| all);
        known.chain(&self.others).cloned().collect()
    }

    /// Whether a name is in the log.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether nothing was found that means something.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns, the remarks and the facts, when all is read.
    pub(super) fn finish(mut self) -> (BTreeMap<String, Column>, Vec<String>, Stated) {
        for column in self.columns.values_mut() {
            column.finish();
        }
        (self.columns, self.remarks, self.stated)
    }
}

impl Column {
    fn new(word: Word) -> Self {
        Self {
            word,
            points: Vec::new(),
            last: None,
            every: 1,
            count: 0,
            not_finite: 0,
            not_finite_at: 0,
            replaced: 0,
            back: 0,
            back_first: (0, 0),
            sum: 0.0,
            gap: false,
            constant: None,
        }
    }

    /// One of how many values is kept.
    pub(super) fn every(&self) -> u64 {
        self.every
    }

    fn push(&mut self, name: &str, mut seen: Seen) -> Result<()> {
        self.count += 1;
        if !seen.value.is_finite() {
            if self.not_finite == 0 {
                self.not_finite_at = seen.step;
            }
            self.not_finite += 1;
            return Ok(());
        }
        if let Some(last) = self.last {
            if last.step > seen.step {
                self.go_back(name, last.step, seen.step)?;
            } else if last.step == seen.step {
                return self.again(seen);
            }
        }
        if self.word == Word::StepTokens {
            self.add_up(&mut seen);
        }
        self.last = Some(seen);
        if self.count.is_multiple_of(self.every) || self.points.is_empty() {
            self.points.push(seen);
        }
        let never_thinned = matches!(self.word, Word::HeldOut | Word::OtherUnit(_));
        if never_thinned && self.points.len() > HELD_OUT {
            return Err(ImportError::TooMany { what: "held-out losses", limit: HELD_OUT }.into());
        }
        if !never_thinned && self.points.len() >= KEPT {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
        }
        Ok(())
    }

    /// The same step once more: the later value counts.
    fn again(&mut self, seen: Seen) -> Result<()> {
        let Some(last) = self.last else { return Ok(()) };
        let value = match self.word {
            Word::StepTokens => self.sum,
            _ => seen.value,
        };
        if value.to_bits() != last.value.to_bits() {
            self.replaced += 1;
        }
        let later = Seen { value, tokens: seen.tokens.or(last.tokens), ..seen };
        if let Some(kept) = self.points.last_mut().filter(|kept| kept.step == later.step) {
            *kept = later;
        }
        self.last = Some(later);
        Ok(())
    }

    /// The run started again from an earlier step: what came after that step is void.
    fn go_back(&mut self, name: &str, from: u64, to: u64) -> Result<()> {
        if self.back == 0 {
            self.back_first = (from, to);
        }
        self.back += 1;
        // A sum cannot be taken back to a step that is no longer kept.
        let lost = self.word == Word::StepTokens && self.every > 1;
        if self.back > RESTARTS || lost {
            let (from, to) = self.back_first;
            let (name, times) = (name.to_owned(), self.back);
            return Err(ImportError::StepsGoBack { name, times, from, to }.into());
        }
        self.points.truncate(self.points.partition_point(|seen| seen.step < to));
        self.last = self.points.last().copied();
        self.sum = self.last.map_or(0.0, |last| last.value);
        Ok(())
    }

    /// Turns the tokens of a step into the tokens so far.
    fn add_up(&mut self, seen: &mut Seen) {
        let first = self.last.is_none();
        if first {
            self.constant = Some(seen.value);
        }
        // A log that begins later does not say what was before.
        self.gap |= self.last.map_or(seen.step > 1, |last| seen.step != last.step + 1);
        self.constant = self.constant.filter(|constant| *constant == seen.value);
        self.sum += seen.value;
        seen.value = self.sum;
    }

    /// The last value is kept whatever was thinned out.
    fn finish(&mut self) {
        let Some(last) = self.last else { return };
        if self.points.last().is_some_and(|kept| kept.step < last.step) {
            self.points.push(last);
        }
    }

    /// The value at a step: the one there, or on the straight line between its neighbours. The
    /// second part says whether it stands in the log.
    pub(super) fn at(&self, step: u64) -> Option<(f64, bool)> {
        let after = self.points.partition_point(|seen| seen.step < step);
        let right = self.points.get(after)?;
        if right.step == step {
            return Some((right.value, true));
        }
        let left = self.points.get(after.checked_sub(1)?)?;
        let along = (step - left.step) as f64 / (right.step - left.step) as f64;
        Some((left.value + along * (right.value - left.value), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(rows: &[(u64, &[(&str, f64)])]) -> Result<Gathered> {
        let mut gathered = Gathered::new(BTreeMap::new());
        rows.iter().try_for_each(|(step, numbers)| gathered.row(*step, numbers))?;
        Ok(gathered)
    }

    fn losses(gathered: Gathered) -> Vec<(u64, f64)> {
        let (columns, ..) = gathered.finish();
        columns["eval_loss"].points.iter().map(|seen| (seen.step, seen.value)).collect()
    }

    #[test]
    fn a_loss_is_at_the_tokens_of_its_row_wherever_they_stand() {
        let found = gathered(&[(5, &[("eval_loss", 3.0), ("tokens", 50.0)])]).unwrap();
        let (columns, ..) = found.finish();
        assert_eq!(columns["eval_loss"].points[0].tokens, Some(50.0));
    }

    #[test]
    fn a_run_that_starts_again_is_the_later_one_and_a_shuffled_one_is_refused() {
        let rows: [(u64, &[(&str, f64)]); 4] = [
            (5, &[("eval_loss", 3.0)]),
            (10, &[("eval_loss", 2.5)]),
            (10, &[("eval_loss", 2.25)]),
            (5, &[("eval_loss", 2.75)]),
        ];
        assert_eq!(losses(gathered(&rows[..3]).unwrap()), [(5, 3.0), (10, 2.25)]);
        assert_eq!(losses(gathered(&rows).unwrap()), [(5, 2.75)]);
        let mut shuffled = Gathered::new(BTreeMap::new());
        let error = (0..100)
            .rev()
            .try_for_each(|step| shuffled.row(step, &[("eval_loss", 2.0)]))
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains("go back 21 times, first from 99 to 98"), "{error}");
    }

    #[test]
    fn a_long_log_is_thinned_out_to_its_ends_and_held_out_losses_are_not() {
        let mut long = Gathered::new(BTreeMap::new());
        for step in 1..=300_000 {
            long.row(step, &[("loss", 3.0)]).unwrap();
            if step % 1000 == 0 {
                long.row(step, &[("eval_loss", 3.0)]).unwrap();
            }
        }
        let (columns, ..) = long.finish();
        let training = &columns["loss"];
        assert!(training.points.len() <= KEPT + 1 && training.points.len() > KEPT / 4);
        assert_eq!(training.every(), 8);
        let ends = (training.points[0].step, training.points.last().unwrap().step);
        assert_eq!(ends, (1, 300_000));
        assert_eq!(columns["eval_loss"].points.len(), 300);
    }

    #[test]
    fn tokens_of_steps_are_added_up_and_missing_steps_are_known() {
        let rows = |steps: &[u64]| {
            let mut found = Gathered::new(BTreeMap::new());
            for step in steps {
                found.row(*step, &[("num_tokens_per_step", 10.0 + *step as f64)]).unwrap();
            }
            let (mut columns, ..) = found.finish();
            columns.remove("num_tokens_per_step").unwrap()
        };
        let whole = rows(&[0, 1, 2]);
        assert_eq!(whole.points.last().unwrap().value, 33.0);
        assert!(!whole.gap && whole.constant.is_none());
        // Step 1 was done again.
        assert_eq!(rows(&[0, 1, 2, 1, 2]).points.last().unwrap().value, 33.0);
        assert!(rows(&[0, 2]).gap && rows(&[7, 8]).gap);
    }
}
