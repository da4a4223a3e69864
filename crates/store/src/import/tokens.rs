//! How many tokens were seen at a step: stated, derived from what is stated, or given. Never
//! guessed.

use std::collections::BTreeMap;

use super::asked::Batches;
use super::failure::ImportError;
use super::gathered::{Column, Stated};
use super::json::whole;
use super::words::{Word, rank};
use crate::Result;

/// Where tokens come from.
pub(super) struct Counted<'a> {
    source: Source<'a>,
    /// How many losses lay between two steps whose tokens are stated.
    between: u64,
    from_zero: bool,
}

enum Source<'a> {
    /// A column of tokens so far, and tokens of a step where all steps have the same.
    Stated {
        name: &'a str,
        column: &'a Column,
        factor: f64,
        even: Option<f64>,
        /// Whether it alone counts tokens, so that tokens in the row of a loss are its own.
        is_only: bool,
    },
    /// So many at every step.
    Even { tokens: u64, how: String },
}

impl<'a> Counted<'a> {
    /// Finds where tokens come from.
    ///
    /// # Errors
    /// Where the log does not say, or contradicts itself.
    pub(super) fn find(
        columns: &'a BTreeMap<String, Column>,
        stated: Stated,
        given: Batches,
    ) -> Result<(Self, Vec<String>)> {
        let mut remarks = Vec::new();
        let known = by_column(columns, stated, given)?;
        let given = given_steps(stated, given);
        let source = match (known, given) {
            (Some(known), None) => known,
            (None, Some(given)) => given,
            (None, None) => {
                return Err(ImportError::NoTokens { known: hints(columns, stated) }.into());
            }
            (Some(known), Some(given)) => {
                if let Source::Stated { name, column, factor, .. } = &known
                    && let Source::Even { tokens, .. } = &given
                    && let Some(last) = column.points.last()
                {
                    let steps = last.step as f64 + f64::from(u8::from(stated.from_zero));
                    let (says, makes) = (last.value * factor, steps * *tokens as f64);
                    if (says - makes).abs() > 0.01 * says {
                        remarks.push(format!(
                            "`{name}` says {says:.0} tokens at step {}, and what was given makes {makes:.0}: the given \
                             counts",
                            last.step
                        ));
                    }
                }
                given
            }
        };
        Ok((Self { source, between: 0, from_zero: stated.from_zero }, remarks))
    }

    /// The tokens at a step, where `own` is what the log states with the loss itself.
    pub(super) fn at(&mut self, step: u64, own: Option<f64>) -> Result<u64> {
        let steps = step + u64::from(self.from_zero);
        match &self.source {
            Source::Even { tokens, .. } => steps.checked_mul(*tokens).ok_or_else(|| {
                let found = steps as f64 * *tokens as f64;
                ImportError::NotTokens { name: "tokens".to_owned(), found, step }.into()
            }),
            Source::Stated { name, column, factor, even, is_only } => {
                // Some programs write 0 where they do not count.
                let own = own.filter(|tokens| *is_only && *tokens != 0.0);
                let exact = own.map(|tokens| (tokens, true)).or_else(|| column.at(step));
                let found = match (exact, even) {
                    // The log may tell of every tenth step only.
                    (_, Some(even)) if column.word == Word::StepTokens => even * steps as f64,
                    (Some((found, true)), _) => found,
                    (_, Some(even)) => even * steps as f64,
                    (Some((found, false)), None) => {
                        self.between += 1;
                        found.round()
                    }
                    // Nothing is trained on before the first step.
                    (None, None) if steps == 0 => 0.0,
                    (None, None) => {
                        let first = column.points.first().filter(|first| step < first.step);
                        let Some(first) = first else {
                            let last = column.points.last().map_or(0, |last| last.step);
                            let name = (*name).to_owned();
                            return Err(ImportError::TokensEnd { name, last, step }.into());
                        };
                        self.between += 1;
                        (first.value * steps as f64 / first.step as f64).round()
                    }
                };
                let tokens = found * factor;
                whole(tokens).ok_or_else(|| {
                    ImportError::NotTokens { name: (*name).to_owned(), found: tokens, step }.into()
                })
            }
        }
    }

    /// Where tokens come from, for a person.
    pub(super) fn sentence(&self) -> String {
        match &self.source {
            Source::Even { how, .. } => how.clone(),
            Source::Stated { name, column, factor, even, .. } => {
                let what = match (column.word, *factor == 1.0) {
                    (Word::StepTokens, _) => format!("`{name}` of the log, added up"),
                    (_, true) => format!("`{name}` of the log"),
                    (_, false) => format!("`{name}` of the log, times {factor} tokens a sequence"),
                };
                match even {
                    Some(even) if self.between == 0 => {
                        format!("{what}; {} at every step", even * factor)
                    }
                    _ => what,
                }
            }
        }
    }

    /// What has to be said about the tokens of losses.
    pub(super) fn remark(&self) -> Option<String> {
        let Source::Stated { name, .. } = &self.source else { return None };
        (self.between > 0).then(|| {
            format!(
                "at {} steps the log states no tokens: they are on the straight line between its neighbours in `{name}`",
                self.between
            )
        })
    }
}

/// Tokens, tokens of steps, or sequences of the log; at last the sequences that it states of every
/// step.
fn by_column(
    columns: &BTreeMap<String, Column>,
    stated: Stated,
    given: Batches,
) -> Result<Option<Source<'_>>> {
    let of = |word: Word| {
        let all = columns.iter().filter(move |(_, column)| column.word == word);
        // Some programs write 0 where they do not count.
        all.filter(|(_, column)| column.points.iter().any(|seen| seen.value != 0.0))
            .min_by_key(|(name, _)| rank(name))
    };
    let from = |name, column, factor, even| {
        Some(Source::Stated { name, column, factor, even, is_only: false })
    };
    if let Some((name, column)) = of(Word::Tokens) {
        check(name, column)?;
        let is_only = columns.values().filter(|other| other.word == Word::Tokens).count() == 1;
        let even = even_of(column, stated);
        return Ok(Some(Source::Stated { name, column, factor: 1.0, even, is_only }));
    }
    if let Some((name, column)) = of(Word::StepTokens) {
        check(name, column)?;
        match column.constant {
            Some(_) => return Ok(from(name, column, 1.0, column.constant)),
            None if !column.gap => return Ok(from(name, column, 1.0, None)),
            // The tokens of the steps between are not there.
            None => {}
        }
    }
    let length = given.length.or(stated.length);
    if let (Some((name, column)), Some(length)) = (of(Word::Samples), length) {
        check(name, column)?;
        return Ok(from(name, column, length as f64, even_of(column, stated)));
    }
    let stated_steps = || {
        let (batch, length) = (stated.global_batch.filter(|_| given.batch.is_none())?, length?);
        let how = format!("{batch} sequences of {length} tokens at every step");
        Some(Source::Even { tokens: batch.checked_mul(length)?, how })
    };
    Ok(stated_steps())
}

/// Tokens, or sequences, are whole, grow and do not fall.
fn check(name: &str, column: &Column) -> Result<()> {
    let name = || name.to_owned();
    for seen in &column.points {
        if whole(seen.value).is_none() {
            let (found, step) = (seen.value, seen.step);
            return Err(ImportError::NotTokens { name: name(), found, step }.into());
        }
    }
    for pair in column.points.windows(2) {
        if pair[1].value < pair[0].value {
            let (before, after) = (pair[0].value as u64, pair[1].value as u64);
            let step = pair[1].step;
            return Err(ImportError::TokensFall { name: name(), before, after, step }.into());
        }
    }
    let first = column.points.first().map_or(0.0, |first| first.value);
    let stays = column.points.iter().all(|seen| seen.value == first);
    if column.points.len() > 2 && stays {
        return Err(ImportError::TokensStay { name: name(), tokens: first as u64 }.into());
    }
    Ok(())
}

/// What every step adds, if every step adds the same from the first one on.
fn even_of(column: &Column, stated: Stated) -> Option<f64> {
    let steps = |step: u64| (step + u64::from(stated.from_zero)) as f64;
    let last = column.points.last().filter(|last| steps(last.step) > 0.0)?;
    let even = last.value / steps(last.step);
    let is_even = |value: f64, step: u64| (value - even * steps(step)).abs() < 0.5;
    let all = column.points.iter().all(|seen| is_even(seen.value, seen.step));
    (even.fract() == 0.0 && all).then_some(even)
}

/// The same number at every step, as far as it is given.
fn given_steps(stated: Stated, given: Batches) -> Option<Source<'static>> {
    if let Some(tokens) = given.tokens {
        return Some(Source::Even { tokens, how: format!("{tokens} at every step, as given") });
    }
    let length = given.length.or(stated.length)?;
    let batch = given.batch.or(stated.batch)?;
    let accumulation = given.accumulation.or(stated.accumulation)?;
    let processes = given.processes?;
    let factors = [batch, accumulation, processes, length];
    let tokens = factors.into_iter().try_fold(1_u64, u64::checked_mul)?;
    let how = format!(
        "{tokens} at every step: {batch} sequences x {accumulation} passes x {processes} processes x {length} tokens"
    );
    Some(Source::Even { tokens, how })
}

/// What the log does say of its steps.
fn hints(columns: &BTreeMap<String, Column>, stated: Stated) -> String {
    let mut known = Vec::new();
    if let Some(batch) = stated.batch {
        known.push(format!("{batch} sequences a pass of one process"));
    }
    if let Some(accumulation) = stated.accumulation {
        known.push(format!("{accumulation} passes a step"));
    }
    if let Some(batch) = stated.global_batch {
        known.push(format!("{batch} sequences a step"));
    }
    if let Some(length) = stated.length {
        known.push(format!("{length} tokens a sequence"));
    }
    let of = |word: Word| columns.iter().find(move |(_, column)| column.word == word);
    if let Some((name, _)) = of(Word::Samples) {
        known.push(format!("`{name}`, but not the tokens of a sequence"));
    }
    if let Some((name, _)) = of(Word::StepTokens) {
        known.push(format!("`{name}`, but not of every step"));
    }
    match known.is_empty() {
        true => String::new(),
        false => format!("; it states {}", known.join(", ")),
    }
}
