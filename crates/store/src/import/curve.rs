//! From the numbers of a log to the points of a curve.

use std::collections::BTreeMap;

use ledger::{LossKind, Point, Tokens};

use super::asked::Asked;
use super::failure::ImportError;
use super::gathered::{Column, Gathered, Seen};
use super::tokens::Counted;
use super::words::{Unit, Word, is_test, is_usual_training_loss, phase_of};
use crate::Result;

/// Where most losses lie above this, in nats, they are hardly losses of a language model: a guess
/// among a million tokens costs 13.8.
const SUSPICIOUS: f64 = 15.0;
/// How well a perplexity must agree with its loss.
const AGREES: f64 = 0.02;

/// The points of a log, which loss they hold, where tokens come from, and what was noticed.
pub(super) struct Curve {
    pub(super) points: Vec<Point>,
    pub(super) loss: LossKind,
    pub(super) tokens: String,
    pub(super) remarks: Vec<String>,
}

/// Makes the points.
///
/// # Errors
/// Where the loss or the tokens are missing, unclear or contradict themselves.
pub(super) fn of(gathered: Gathered, asked: &Asked) -> Result<Curve> {
    if let Some(name) = asked.names.keys().find(|name| !gathered.has(name)) {
        let (asked, found) = (name.clone(), gathered.found(true));
        return Err(ImportError::NoSuchName { asked, found }.into());
    }
    let (found, numbered) = (gathered.found(false), gathered.is_numbered());
    let (columns, mut remarks, stated) = gathered.finish();
    if numbered {
        remarks.push("the log does not say its steps: its rows are counted".to_owned());
    }
    let losses = Losses::choose(&columns, asked, &found, &mut remarks)?;
    let (mut counted, said) = Counted::find(&columns, stated, asked.batches)?;
    remarks.extend(said);
    let compared = losses.compared();
    check_losses(compared, &columns, asked.unit)?;
    for (name, column) in losses.all() {
        remarks.extend(about(name, column));
    }
    let mut points: BTreeMap<u64, Point> = BTreeMap::new();
    for (is_held_out, column) in losses.columns() {
        for seen in &column.points {
            let tokens = Tokens(counted.at(seen.step, seen.tokens)?);
            let point = points.entry(seen.step).or_insert_with(|| Point::logged(seen.step, tokens));
            // The unit is that of the losses that are compared.
            let is_compared = is_held_out != losses.uses_training;
            let value = if is_compared { asked.unit.nats(seen.value) } else { seen.value };
            *(if is_held_out { &mut point.eval_loss } else { &mut point.loss }) = Some(value);
        }
    }
    let points = with_the_rest(points, &columns, &mut remarks);
    check_order(&points)?;
    remarks.extend(counted.remark());
    remarks.extend(suspicion(compared, asked.unit));
    let tokens = counted.sentence();
    Ok(Curve { points, loss: losses.kind(), tokens, remarks })
}

/// Learning rate, gradient, epoch and phase at the steps of losses.
fn with_the_rest(
    points: BTreeMap<u64, Point>,
    columns: &BTreeMap<String, Column>,
    remarks: &mut Vec<String>,
) -> Vec<Point> {
    let of = |word: Word| columns.values().find(move |column| column.word == word);
    let (rates, norms) = (of(Word::LearningRate), of(Word::GradNorm));
    let (epochs, phases) = (of(Word::Epoch), of(Word::Phase));
    let exact = |column: Option<&Column>, step: u64| {
        column?.at(step).filter(|(_, stands)| *stands).map(|(value, _)| value)
    };
    let mut between = 0_u64;
    let mut rest = |(step, mut point): (u64, Point)| {
        point.learning_rate = rates.and_then(|rates| rates.at(step)).map(|(rate, stands)| {
            between += u64::from(!stands);
            rate
        });
        point.grad_norm = exact(norms, step);
        point.epoch = exact(epochs, step);
        point.phase = exact(phases, step).and_then(phase_of);
        point
    };
    let points = points.into_iter().map(&mut rest).collect();
    if between > 0 {
        remarks.push(format!(
            "at {between} steps the log states no learning rate: it is on the straight line between its neighbours"
        ));
    }
    points
}

/// The columns that hold losses.
struct Losses<'a> {
    held_out: Option<(&'a str, &'a Column)>,
    training: Option<(&'a str, &'a Column)>,
    uses_training: bool,
}

impl<'a> Losses<'a> {
    fn choose(
        columns: &'a BTreeMap<String, Column>,
        asked: &Asked,
        found: &[String],
        remarks: &mut Vec<String>,
    ) -> Result<Self> {
        let of = |word: Word| -> Vec<(&'a str, &'a Column)> {
            let named = columns.iter().map(|(name, column)| (name.as_str(), column));
            named.filter(|(_, column)| column.word == word).collect()
        };
        let mut held_out = of(Word::HeldOut);
        // A test at the end is none of the evaluations on the way.
        if held_out.iter().any(|(name, _)| !is_test(name)) {
            held_out.retain(|(name, _)| !is_test(name));
        }
        let mut training = of(Word::Training);
        // A mean over the whole run, which some programs add at its end.
        if training.iter().any(|(_, column)| column.count > 1) {
            training.retain(|(_, column)| column.count > 1);
        }
        if let Some(usual) = training.iter().position(|(name, _)| is_usual_training_loss(name)) {
            training = vec![training[usual]];
        }
        let several = |kind, losses: &[(&str, &Column)]| {
            let names = losses.iter().map(|(name, _)| (*name).to_owned()).collect();
            Err(ImportError::SeveralLosses { kind, names }.into())
        };
        if asked.training {
            match training[..] {
                [] => {
                    return Err(ImportError::NoLoss { found: found.to_vec() }.into());
                }
                [training] => {
                    // Both stay apart; which one is compared is said aloud.
                    let held_out = held_out.first().copied().filter(|_| held_out.len() == 1);
                    return Ok(Self { held_out, training: Some(training), uses_training: true });
                }
                _ => return several("training", &training),
            }
        }
        match held_out[..] {
            [held_out] => {
                if training.len() > 1 {
                    let names: Vec<String> =
                        training.iter().map(|(name, _)| format!("`{name}`")).collect();
                    remarks.push(format!(
                        "of the training losses {} none is kept: it is not clear which counts",
                        names.join(", ")
                    ));
                }
                let training = training.first().copied().filter(|_| training.len() == 1);
                Ok(Self { held_out: Some(held_out), training, uses_training: false })
            }
            [] => {
                let other = columns.iter().find_map(|(name, column)| match column.word {
                    Word::OtherUnit(unit) => Some((name.clone(), unit)),
                    _ => None,
                });
                if let Some((name, unit)) = other {
                    let why = "its name says so".to_owned();
                    return Err(ImportError::OtherUnit { name, unit, why }.into());
                }
                match training[..] {
                    [] => Err(ImportError::NoLoss { found: found.to_vec() }.into()),
                    _ => {
                        let (name, column) = training[0];
                        let (name, points) = (name.to_owned(), column.points.len());
                        Err(ImportError::OnlyTraining { name, points }.into())
                    }
                }
            }
            _ => several("held-out", &held_out),
        }
    }

    /// The losses that will be compared with others.
    fn compared(&self) -> (&'a str, &'a Column) {
        let chosen = if self.uses_training { self.training } else { self.held_out };
        chosen.expect("one of them was chosen")
    }

    fn kind(&self) -> LossKind {
        let name = self.compared().0.to_owned();
        if self.uses_training { LossKind::Training(name) } else { LossKind::HeldOut(name) }
    }

    fn all(&self) -> impl Iterator<Item = (&'a str, &'a Column)> {
        self.held_out.into_iter().chain(self.training)
    }

    /// Each column, and whether it is held out.
    fn columns(&self) -> impl Iterator<Item = (bool, &'a Column)> {
        let held_out = self.held_out.into_iter().map(|(_, column)| (true, column));
        held_out.chain(self.training.into_iter().map(|(_, column)| (false, column)))
    }
}

/// Losses are finite, above 0, and in nats as far as the log can tell.
fn check_losses(
    (name, column): (&str, &Column),
    columns: &BTreeMap<String, Column>,
    unit: Unit,
) -> Result<()> {
    if column.points.is_empty() {
        let (name, count) = (name.to_owned(), column.count);
        return Err(ImportError::NothingFinite { name, count }.into());
    }
    let is_bad = |seen: &&Seen| unit.nats(seen.value).is_nan() || unit.nats(seen.value) <= 0.0;
    if let Some(bad) = column.points.iter().find(is_bad) {
        let (found, step) = (bad.value, bad.step);
        return Err(ImportError::NotALoss { name: name.to_owned(), found, step }.into());
    }
    if unit != Unit::Nats {
        return Ok(());
    }
    // A perplexity beside the loss tells the loss's unit.
    let perplexities =
        columns.iter().filter(|(_, column)| column.word == Word::OtherUnit(Unit::Perplexity));
    for (of, perplexity) in perplexities {
        let pairs: Vec<(f64, f64)> = column
            .points
            .iter()
            .filter_map(|seen| {
                let (value, stands) = perplexity.at(seen.step)?;
                stands.then_some((seen.value, value))
            })
            .collect();
        let all = |of: fn(f64) -> f64| {
            let agree =
                |(loss, perplexity): &(f64, f64)| (of(*loss) / perplexity - 1.0).abs() < AGREES;
            !pairs.is_empty() && pairs.iter().all(agree)
        };
        if all(f64::exp2) && !all(f64::exp) {
            return Err(ImportError::OtherUnit {
                name: name.to_owned(),
                unit: Unit::Bits,
                why: format!("`{of}` is 2 to its power"),
            }
            .into());
        }
    }
    Ok(())
}

/// Tokens never fall along the steps, whatever they were derived from.
fn check_order(points: &[Point]) -> Result<()> {
    match points.windows(2).find(|pair| pair[1].tokens < pair[0].tokens) {
        Some(pair) => Err(ImportError::TokensFall {
            name: "tokens".to_owned(),
            before: pair[0].tokens.0,
            after: pair[1].tokens.0,
            step: pair[1].step,
        }
        .into()),
        None => Ok(()),
    }
}

/// What has to be said about a column.
fn about<'a>(name: &'a str, column: &'a Column) -> impl Iterator<Item = String> + use<'a> {
    let (from, to) = column.back_first;
    [
        (column.not_finite > 0).then(|| {
            format!(
                "`{name}` is NaN or infinite {} times, first at step {}: these are left out",
                column.not_finite, column.not_finite_at
            )
        }),
        (column.replaced > 0).then(|| {
            format!(
                "`{name}` has two values at {} steps: the later ones count",
                column.replaced
            )
        }),
        (column.back > 0).then(|| {
            format!(
                "the steps of `{name}` go back {} times, first from {from} to {to}, as when a run goes on from a \
                 checkpoint: the later values count",
                column.back
            )
        }),
        (column.every() > 1).then(|| {
            format!("of `{name}`, one in {} of {} values is kept", column.every(), column.count)
        }),
    ]
    .into_iter()
    .flatten()
}

/// A loss that is hardly one.
fn suspicion((name, column): (&str, &Column), unit: Unit) -> Option<String> {
    let above = column.points.iter().filter(|seen| unit.nats(seen.value) > SUSPICIOUS).count();
    (above * 2 > column.points.len()).then(|| {
        format!(
            "`{name}` is above {SUSPICIOUS} at {above} of {} steps: is it a perplexity or a percentage, and no loss \
             in nats per token?",
            column.points.len()
        )
    })
}
