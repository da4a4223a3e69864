//! `regrow plan`: how many tokens are enough, what they cost, and which model to prune at which
//! rate.

mod candidates;
mod measured;
mod show;
mod wish;

use std::path::{Path, PathBuf};

use clap::Args;
use law::plan::{Candidate, Recovery};
use law::{Answer, GroupLaw, Wish};

use self::candidates::CandidateFlags;
pub(crate) use self::wish::WishFlags;
use self::wish::{CostFlags, RecoveryStart, Share};
use crate::flags::force::existing;
use crate::show::picture;
use crate::terminal::{Exit, Output, usage};
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  How many tokens are enough for an 8B model with a quarter of it removed:
    regrow plan law.json --n0 8.03e9 --rate 0.25 --loss0 2.05

  The same of a public model by its name, with what it costs on a GPU of 989 teraflops at two dollars an hour:
    regrow plan law.json --model llama-3.1-8b --rate 0.25 --loss0 2.05 --device-peak 989T --gpu-hour-price 2

  Enough is where a million more tokens buy less than 0.0001 nats; and what a loss of 2.2 takes:
    regrow plan law.json --n0 8.03e9 --rate 0.25 --loss0 2.05 --min-gain 1e-4 --target-loss 2.2

  Win back 95 % of what pruning cost, from 3.10 nats right after it:
    regrow plan law.json --n0 8.03e9 --rate 0.25 --loss0 2.05 --recover 95% --from pruned --from-loss 3.10

  Every method and rate of the law, two models, at most 6B parameters and 300 GPU-hours:
    regrow plan law.json --model llama-3.1-8b,llama-3.2-3b --loss0 2.05,2.31 --max-params 6B \\
        --budget 300gpu-hours --device-peak 989T

Where the data cannot tell, no number is given and the exit status is 3.";

/// Arguments of `regrow plan`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A law, written by `regrow fit`
    law: PathBuf,
    #[command(flatten)]
    wish: WishFlags,
    /// Say how many tokens win back this share of what pruning cost: `95%`
    #[arg(long, value_name = "SHARE")]
    recover: Option<Share>,
    /// Where the recovery begins: right after pruning (`pruned`), or after so many tokens
    #[arg(long, value_name = "WHERE", default_value = "pruned", requires = "recover")]
    from: RecoveryStart,
    /// The loss measured there, nats per token
    #[arg(long, value_name = "NATS", requires = "recover", allow_negative_numbers = true)]
    from_loss: Option<f64>,
    /// Read that loss from a points table or from run folders
    #[arg(long, value_name = "POINTS", requires = "recover", conflicts_with = "from_loss")]
    measured: Option<PathBuf>,
    #[command(flatten)]
    which: CandidateFlags,
    #[command(flatten)]
    cost: CostFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the curve of one model, or what can be had of several, into this file, SVG or PNG by
    /// its ending
    #[arg(short, long, value_name = "PICTURE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Runs `regrow plan`.
///
/// # Errors
/// Where the law cannot be read, no group matches the question, or its numbers are out of range.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if arguments.recover.is_some() && arguments.from_loss.is_none() && arguments.measured.is_none()
    {
        return Err(usage(
            "`--recover` needs the measured loss that it begins at, since the law says nothing of the freshly pruned \
             model: give it with `--from-loss`, or the runs that it stands in with `--measured`",
        ));
    }
    if let Some(out) = &arguments.out {
        let inputs: Vec<&Path> = [&arguments.law]
            .into_iter()
            .chain(&arguments.measured)
            .chain(arguments.which.table())
            .map(PathBuf::as_path)
            .collect();
        picture::check(out, existing(arguments.force), &inputs)?;
    }
    let mut law = law_file::read(&arguments.law)?;
    if let Some(zeroed) = arguments.which.zeroed() {
        // Whether weights are zeroed changes the cost: zeroed weights are still multiplied.
        law.say_zeroed(zeroed)?;
    }
    let candidates = arguments.which.candidates(&law)?;
    let limits = arguments.cost.limits()?;
    let wish = Wish { bill: arguments.cost.bill()?, ..arguments.wish.wish() };
    let recovery = |candidate: &Candidate, group: &GroupLaw| arguments.recovery(candidate, group);
    let found = law.decide(&candidates, &limits, &wish, recovery)?;
    if let Some(out) = &arguments.out {
        let picture = match (found.plans(), found.allocation()) {
            // One candidate: its curve. Several: a chart of what each can reach.
            ([one], _) => report::plan_picture(one.group(), one.plan()),
            (_, Some(found)) => report::choice_picture(found),
            _ => None,
        };
        picture::write(out, picture, output)?;
    }
    if arguments.json {
        output.json(&found)?;
    } else {
        show::all(&found, output)?;
    }
    Ok(if found.is_told() { Exit::Done } else { Exit::CannotTell })
}

impl Arguments {
    /// What a candidate is to win back.
    fn recovery(
        &self,
        candidate: &Candidate,
        group: &GroupLaw,
    ) -> anyhow::Result<Option<Recovery>> {
        Ok(match (self.recover, self.from_loss, &self.measured) {
            (Some(Share(share)), Some(reference), _) => Some(Recovery { share, reference }),
            (Some(Share(share)), None, Some(path)) => {
                let reference = measured::reference(path, self.from, group, &candidate.place)?;
                Some(Recovery { share, reference })
            }
            _ => None,
        })
    }
}

/// The sentence of an answer, including its caveats.
pub(crate) fn sentence(answer: &Answer) -> String {
    answer.sentence().to_owned()
}
