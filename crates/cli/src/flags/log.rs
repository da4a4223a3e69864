//! What a log does not say about itself and about its model.

use std::path::{Path, PathBuf};

use clap::Args;
use ledger::{Facts, Nats, Rate};
use store::import::{Asked, Batches, ImportedRun, Unit, Word, formats};

use regrow::count::Count;

/// How a log is read.
#[derive(Debug, Args)]
pub(crate) struct LogFlags {
    /// The format, where content does not tell it
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    format: Option<String>,
    /// Which names of the log mean what: WORD=NAME, with commas between. The words are step,
    /// tokens, step_tokens, samples, loss (held out), training_loss, learning_rate, grad_norm,
    /// epoch, phase
    #[arg(long, value_name = "WORD=NAME")]
    map: Vec<String>,
    /// The run that is meant, where the log holds several
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Compare training losses, where there are no held-out ones
    #[arg(long)]
    training_loss: bool,
    /// What losses are counted in; they become nats per token
    #[arg(long, default_value_t = Unit::Nats, value_parser = unit)]
    unit: Unit,
    #[command(flatten)]
    batches: BatchFlags,
}

/// How many tokens a step takes in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens of a step, where the log does not state them")]
struct BatchFlags {
    /// Tokens of a step, on all processes
    #[arg(long, value_name = "N", conflicts_with_all = ["batch", "accumulation", "processes", "length"])]
    tokens_per_step: Option<Count>,
    /// Sequences of one pass on one process
    #[arg(long, value_name = "N")]
    batch: Option<Count>,
    /// Passes whose gradients are added up in a step
    #[arg(long, value_name = "N")]
    accumulation: Option<Count>,
    /// Processes that train on different sequences
    #[arg(long, value_name = "N")]
    processes: Option<Count>,
    /// Tokens of a sequence
    #[arg(long, value_name = "N")]
    length: Option<Count>,
}

/// What is known of the model.
#[derive(Debug, Args)]
#[command(next_help_heading = "What no log says")]
pub(crate) struct FactFlags {
    /// A folder that `regrow prune` made: its `cut.json` gives size, rate, series, method and base
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["n0", "rate", "series", "method", "base"])]
    model: Option<PathBuf>,
    /// Parameters before pruning
    #[arg(long, value_name = "N")]
    n0: Option<Count>,
    /// Pruning rate that was realised; 0 for a model that was not pruned
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Held-out loss before pruning, nats per token, measured as in the log
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    loss0: Option<f64>,
    /// The model series
    #[arg(long)]
    series: Option<String>,
    /// The pruning method
    #[arg(long)]
    method: Option<String>,
    /// The name of the model before pruning
    #[arg(long)]
    base: Option<String>,
}

impl LogFlags {
    /// The run that is meant, where there are several.
    pub(crate) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// What is said about the log.
    pub(crate) fn asked(&self) -> anyhow::Result<Asked> {
        let flags = &self.batches;
        let number = |count: Option<Count>| count.map(|count| count.0);
        let batches = match flags.tokens_per_step {
            Some(tokens) => Batches::of_tokens(ledger::Tokens(tokens.0)),
            None => Batches::of_factors(
                number(flags.batch),
                number(flags.accumulation),
                number(flags.processes),
                number(flags.length),
            ),
        };
        let mut asked = Asked::default()
            .with_format(self.format.clone())
            .with_run(self.run.clone())
            .with_training_loss(self.training_loss)
            .with_unit(self.unit)
            .with_batches(batches);
        for (word, name) in names(&self.map)? {
            asked = asked.with_name(word, name);
        }
        Ok(asked)
    }
}

impl FactFlags {
    /// The pruned model that is named, if any.
    pub(crate) fn model(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    /// What is known of the model.
    pub(crate) fn facts(&self) -> anyhow::Result<Facts> {
        let mut facts = match &self.model {
            Some(model) => ImportedRun::facts_of_model(model)?,
            None => Facts::default(),
        };
        if let Some(n0) = self.n0 {
            facts = facts.with_size(ledger::Params(n0.0));
        }
        if let Some(rate) = self.rate {
            facts = facts.with_rate(Rate::new(rate)?);
        }
        facts = facts.with_group(self.series.clone(), self.method.clone());
        if let Some(base) = &self.base {
            facts = facts.with_base(base.clone());
        }
        if let Some(loss0) = self.loss0 {
            if let Some(known) = facts.loss0().filter(|known| known.0 != loss0) {
                anyhow::bail!(
                    "the loss before pruning is {loss0}, and the `cut.json` of the model says {}; expected one of them",
                    known.0
                );
            }
            anyhow::ensure!(loss0.is_finite(), "`--loss0` is {loss0}, expected a finite number");
            let phase = facts.loss0_phase();
            facts = facts.with_loss0(Nats(loss0), phase);
        }
        Ok(facts)
    }
}

/// The pairs of `--map`. A comma in a name stays where no word follows it.
fn names(flags: &[String]) -> anyhow::Result<Vec<(Word, String)>> {
    let mut found: Vec<(Word, String)> = Vec::new();
    for flag in flags {
        let mut is_first = true;
        for piece in flag.split(',') {
            let pair = piece.split_once('=');
            let known = pair.and_then(|(key, name)| Some((Word::of_key(key.trim())?, name)));
            match (known, found.last_mut().filter(|_| !is_first)) {
                (Some((word, name)), _) if !name.trim().is_empty() => {
                    found.push((word, name.trim().to_owned()));
                }
                (None, Some((_, before))) if pair.is_none() => {
                    *before += ",";
                    *before += piece;
                }
                _ => anyhow::bail!(
                    "`--map {flag}`: `{piece}` is no WORD=NAME; the words are {}",
                    Word::keys().collect::<Vec<_>>().join(", ")
                ),
            }
            is_first = false;
        }
    }
    for (at, (word, _)) in found.iter().enumerate() {
        anyhow::ensure!(
            found[..at].iter().all(|(known, _)| known != word),
            "`--map` names one word twice"
        );
    }
    Ok(found)
}

fn unit(text: &str) -> Result<Unit, String> {
    text.parse()
}

fn format_names() -> clap::builder::PossibleValuesParser {
    formats().map(|(name, _)| name).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let read = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            names(&flags)
        };
        let pair = |word, name: &str| (word, name.to_owned());
        assert_eq!(
            read(&["tokens=seen,loss=loss (a, b)", "step=i"]).unwrap(),
            [pair(Word::Tokens, "seen"), pair(Word::HeldOut, "loss (a, b)"), pair(Word::Step, "i")]
        );
        for wrong in ["seen", "tokens=", "token=seen", "tokens=a,lost=b", "tokens=a,tokens=b"] {
            assert!(read(&[wrong]).unwrap_err().to_string().starts_with("`--map"), "{wrong}");
        }
    }
}
