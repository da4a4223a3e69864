//! `regrow design`: which pilot runs make a wanted number certain for the money.

mod pilots;
mod recipe;
mod show;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use disk::FileKind;
use law::design::{Belief, Check, Design, Options, Pilot, Target, Wanted, check, design};
use law::plan::{Bill, Budget};
use law::{GroupLaw, Law};
use ledger::{Objective, short_count, written_rate};
use serde::Serialize;

use self::pilots::{Model, pilots};
use crate::flags::force::existing;
use crate::flags::machine::MachineFlags;
use crate::flags::posterior::priors;
use crate::terminal::{Exit, Output};
use regrow::count::Count;
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  Which runs of two small models and the large one itself tell most about its enough tokens, for 300 hours of one GPU:
    regrow design --models llama-3.2-1b,llama-3.2-3b,llama-3.1-8b --rates 0.15,0.25,0.35 \\
        --for llama-3.1-8b@0.25 --budget 300gpu-hours --device-peak h100

  The same, written down as a sweep to run:
    regrow design --models llama-3.2-1b,llama-3.2-3b,llama-3.1-8b --rates 0.15,0.25,0.35 \\
        --for llama-3.1-8b@0.25 --budget 300gpu-hours --device-peak h100 --recipe pilots.toml

  Some runs are in and a law is fitted to them: which come next, or is it enough?
    regrow design --law law.json --models llama-3.2-1b,llama-3.2-3b,llama-3.1-8b --rates 0.15,0.25,0.35 \\
        --for llama-3.1-8b@0.25 --budget 100gpu-hours --device-peak h100

Exit status 3: in most of the worlds that are held possible the number has no value, so no runs can be chosen.";

/// Arguments of `regrow design`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Models that can be pruned and healed: names of public models, model folders, or parameter
    /// counts such as `1.2B`
    #[arg(long, required = true, value_name = "MODEL", value_delimiter = ',')]
    models: Vec<String>,
    /// Rates that they can be pruned at
    #[arg(long, required = true, value_parser = written_rate, value_name = "RATE", value_delimiter = ',', allow_negative_numbers = true)]
    rates: Vec<f64>,
    /// The model and rate that the wanted number is of
    #[arg(long = "for", value_name = "MODEL@RATE")]
    target: TargetFlag,
    /// Spend no more than this on pilots: `1e21flop`, `300gpu-hours` or `500usd`
    #[arg(long, value_name = "AMOUNT")]
    budget: Budget,
    /// Lengths that a run may have [default: what half the budget pays for on the wanted model, a
    /// quarter and a sixteenth of it]
    #[arg(long, value_name = "TOKENS", value_delimiter = ',')]
    tokens: Vec<Count>,
    /// Wanted are the tokens from which a doubling buys less than this
    #[arg(long, value_name = "NATS", default_value_t = 0.01, conflicts_with = "loss_at")]
    gain: f64,
    /// Wanted is the loss after so many tokens instead
    #[arg(long, value_name = "TOKENS")]
    loss_at: Option<Count>,
    /// Begin from what this law has learnt of earlier runs
    #[arg(long, value_name = "LAW", conflicts_with_all = ["prior", "excess", "noise"])]
    law: Option<PathBuf>,
    /// Begin from these priors: a TOML file, or the `law.json` of other models, as for `fit`
    #[arg(long, value_name = "FILE")]
    prior: Option<PathBuf>,
    /// About how far healed losses lie above those before pruning
    #[arg(long, value_name = "NATS", default_value_t = 0.3)]
    excess: f64,
    /// About how much the held-out loss scatters from one evaluation to the next
    #[arg(long, value_name = "NATS", default_value_t = 0.003)]
    noise: f64,
    /// The pruning method
    #[arg(long, value_name = "METHOD", default_value = "depth-block-influence")]
    method: String,
    /// The series of the law, where it holds several
    #[arg(long, requires = "law")]
    series: Option<String>,
    /// What runs are trained for: `lm`, `distil` or `mix`
    #[arg(long, default_value = Objective::LM, value_parser = [Objective::LM, "distil", "mix"])]
    objective: String,
    /// So many runs may be made of one model and rate, each in another order of the text
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10))]
    seeds: u64,
    /// Evaluations of a run, evenly in the logarithm of tokens over a factor of 30
    #[arg(long, value_name = "N", default_value_t = 12)]
    eval_points: usize,
    /// Try the design: make so many tables from other worlds, fit them, and say how wide the
    /// intervals are and how many hold. About a second each
    #[arg(long, value_name = "TABLES", conflicts_with = "law")]
    check: Option<usize>,
    /// Write a sweep of the chosen runs into this file
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The seed of the worlds: the same seed gives the same design
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    machine: MachineFlags,
}

/// A model and a rate as people write them: `llama-3.1-8b@0.25`.
#[derive(Clone, Debug, PartialEq)]
struct TargetFlag {
    model: String,
    rate: f64,
}

impl FromStr for TargetFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no model with a rate such as llama-3.1-8b@0.25");
        let (model, of) = text.rsplit_once('@').ok_or_else(wrong)?;
        if model.is_empty() {
            return Err(wrong());
        }
        Ok(Self { model: model.to_owned(), rate: written_rate(of)? })
    }
}

/// A budget that pays for fewer tokens of the wanted model gives no default lengths.
const FEWEST: f64 = 1e5;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    design: &'a Design,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
}

/// The recipes that this command writes.
const RECIPE: FileKind = FileKind::new("a sweep of pilots", recipe::HEAD, "format = 1");

/// Runs `regrow design`.
///
/// # Errors
/// Where a model or the law is not known, or a number is out of range.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if let Some(path) = &arguments.recipe {
        let inputs = [&arguments.law, &arguments.prior];
        let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
        RECIPE.check(path, existing(arguments.force), &inputs)?;
    }
    let law = arguments.law.as_deref().map(law_file::read).transpose()?;
    let group = law.as_ref().map(|law| arguments.group(law)).transpose()?;
    let priors = arguments.prior.as_deref().map(priors).transpose()?.unwrap_or_default();
    let belief = match group {
        Some(group) => Belief::Law(group),
        None => {
            Belief::Priors { priors: &priors, excess: arguments.excess, noise: arguments.noise }
        }
    };
    // A model that is only a number asks for no method.
    prune::method(&arguments.method)?;
    let models: Vec<Model> = arguments
        .models
        .iter()
        .map(|model| Model::find(model, &arguments.method, &arguments.rates))
        .collect::<anyhow::Result<_>>()?;
    let wanted = match arguments.loss_at {
        Some(Count(tokens)) => Wanted::Loss { tokens: tokens as f64 },
        None => Wanted::Enough { gain: arguments.gain },
    };
    let of = Model::find(&arguments.target.model, &arguments.method, &[arguments.target.rate])?;
    let target = Target::new(of.name(), of.n0(), of.rates()[0].realised, wanted)?;
    let machine = arguments.machine.machine()?;
    let bill = Bill::new(0.0, machine);
    let budget = arguments.budget.flops(machine.as_ref())?;
    let price = |model: &Model, rate: f64| {
        model.flops_per_token(rate, &arguments.method, &arguments.objective, machine)
    };
    let lengths = match arguments.tokens.is_empty() {
        true => lengths(budget / price(&of, of.rates()[0].realised)?)?,
        false => arguments.tokens.iter().map(|tokens| tokens.0 as f64).collect(),
    };
    let pool = pilots(&models, &lengths, arguments.seeds, &price)?;
    let options =
        Options { points: arguments.eval_points, seed: arguments.seed, ..Options::default() };
    let found = match design(&pool, &target, belief, budget, &options) {
        Ok(found) => found,
        Err(error) if error.kind() == law::ErrorKind::NoNumber => {
            output.error(&error.into());
            return Ok(Exit::CannotTell);
        }
        Err(error) => return Err(error.into()),
    };
    if found.runs().is_empty() && !found.is_enough() {
        let least = pool.iter().map(Pilot::cost).fold(f64::INFINITY, f64::min);
        let least = show::cost(&bill.cost(least));
        anyhow::bail!(
            "the budget pays for no run: the cheapest of {} takes {least}; raise `--budget`, or give fewer `--tokens`",
            pool.len()
        );
    }
    let chosen: Vec<Pilot> = found.runs().iter().map(|run| run.pilot().clone()).collect();
    let tried = match arguments.check {
        Some(tables) if !chosen.is_empty() => {
            Some(check(&chosen, &target, belief, tables, &options)?)
        }
        _ => None,
    };
    if let Some(path) = &arguments.recipe
        && !chosen.is_empty()
    {
        let text = recipe::text(&found, &models, &arguments.method, &arguments.objective, &options);
        disk::write(path, text.as_bytes())?;
        output.say(&format!("the sweep is in `{}`; its text is yours to name", path.display()));
    }
    if arguments.json {
        output.json(&Report { design: &found, check: tried })?;
    } else {
        show::design(&found, &of, &bill, tried, output)?;
    }
    Ok(Exit::Done)
}

impl Arguments {
    /// The group of the law that the runs belong to.
    fn group<'a>(&self, law: &'a Law) -> anyhow::Result<&'a GroupLaw> {
        let named = law.groups().len() > 1;
        let method = Some(self.method.as_str()).filter(|_| named);
        let objective = Some(self.objective.as_str()).filter(|_| named);
        Ok(law.group_for(self.series.as_deref(), method, objective)?)
    }
}

/// The lengths that runs may have, where nobody says: half of what the budget pays for on the
/// wanted model, a quarter and a sixteenth of that, to two digits.
///
/// # Errors
/// If the budget pays for so few tokens that no run would learn anything.
fn lengths(paid: f64) -> anyhow::Result<Vec<f64>> {
    if paid < FEWEST {
        anyhow::bail!(
            "the budget pays for {} tokens of the wanted model, expected {} or more; raise `--budget`, or name the lengths of \
             cheaper runs with `--tokens`",
            short_count(paid),
            short_count(FEWEST)
        );
    }
    let round = |tokens: f64| {
        let unit = 10_f64.powf(tokens.log10().floor() - 1.0);
        (tokens / unit).round() * unit
    };
    Ok([0.5, 0.125, 0.03125].map(|share| round(share * paid)).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_model_and_a_rate() {
        let of = |text: &str| text.parse::<TargetFlag>();
        let expected = TargetFlag { model: "llama-3.1-8b".into(), rate: 0.25 };
        assert_eq!(
            [of("llama-3.1-8b@0.25"), of("llama-3.1-8b@25%")],
            [Ok(expected.clone()), Ok(expected)]
        );
        for text in ["llama-3.1-8b", "@0.25", "a@b"] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_are_round() {
        assert_eq!(lengths(2.468e9).unwrap(), [1.2e9, 3.1e8, 7.7e7]);
        assert!(lengths(2e4).unwrap_err().to_string().contains("pays for 20.0K tokens"));
    }
}
