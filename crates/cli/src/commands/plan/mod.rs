//! `regrow plan`: how many tokens are enough, what they cost, and which model to prune at which
//! rate.

mod candidates;
mod measured;
mod show;
mod wish;

use std::path::{Path, PathBuf};

use clap::Args;
use law::plan::{Allocation, Candidate, Limits, Recovery};
use law::{Answer, GroupLaw, Plan, Wish};
use serde::Serialize;

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

/// The most offers of the Pareto front that are printed; `--json` has them all.
const FRONT: usize = 12;

/// What `--json` prints.
#[derive(Serialize)]
struct PlanReport<'a> {
    format: u32,
    decisions: Vec<PlanDecision<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocation: Option<&'a Allocation>,
}

/// The plan of one candidate.
#[derive(Serialize)]
struct PlanDecision<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    series: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "crate::show::is_lm")]
    objective: &'a str,
    form: &'a str,
    level: f64,
    #[serde(flatten)]
    plan: &'a Plan,
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
    let flops = arguments.cost.flops()?;
    let mut plans = Vec::new();
    // An unpruned model has a known loss and needs no plan; it only competes in the allocation.
    for candidate in candidates.iter().filter(|candidate| candidate.method != "none") {
        let (method, objective) = (&candidate.method, candidate.objective.as_deref());
        let group = law.group_for(Some(&candidate.series), Some(method), objective)?;
        let wish = arguments.wish_of(candidate, group, flops)?;
        plans.push((candidate, group, group.plan(candidate.place, &wish)?));
    }
    let limits = Limits {
        parameters: arguments.cost.max_params.map(|count| count.0 as f64),
        tokens: arguments.cost.max_tokens.map(|count| count.0 as f64),
        flops,
    };
    // One candidate without limits leaves nothing to choose.
    let choose = candidates.len() > 1 || limits != Limits::default();
    // `allocate` takes the embedding from each candidate.
    let bill = arguments.cost.bill(0.0)?;
    let wish = Wish { bill, ..arguments.wish.wish() };
    let allocation = choose.then(|| law.allocate(&candidates, &limits, &wish)).transpose()?;
    if let Some(out) = &arguments.out {
        let picture = match (&plans[..], &allocation) {
            // One candidate: its curve. Several: a chart of what each can reach.
            ([(_, group, plan)], _) => report::plan_picture(group, plan),
            (_, Some(found)) => report::choice_picture(found),
            _ => None,
        };
        picture::write(out, picture, output)?;
    }
    if arguments.json {
        let mut decisions = Vec::new();
        for (candidate, group, plan) in &plans {
            decisions.push(PlanDecision {
                model: candidate.model.as_deref(),
                series: group.series(),
                method: group.method(),
                objective: group.objective(),
                form: group.form_name(),
                level: group.level(),
                plan,
            });
        }
        output.json(&PlanReport { format: 1, decisions, allocation: allocation.as_ref() })?;
    } else {
        show(&plans, allocation.as_ref(), output)?;
    }
    let told = match &allocation {
        // With a choice, one offer is enough; without one, every question must have an answer.
        Some(found) => found.lowest().is_some(),
        None => plans.iter().all(|(_, _, plan)| asked(plan).all(Answer::is_told)),
    };
    Ok(if told { Exit::Done } else { Exit::CannotTell })
}

impl Arguments {
    fn wish_of(
        &self,
        candidate: &Candidate,
        group: &GroupLaw,
        flops: Option<f64>,
    ) -> anyhow::Result<Wish> {
        let recover = match (self.recover, self.from_loss, &self.measured) {
            (Some(Share(share)), Some(reference), _) => Some(Recovery { share, reference }),
            (Some(Share(share)), None, Some(path)) => {
                let reference = measured::reference(path, self.from, group, &candidate.place)?;
                Some(Recovery { share, reference })
            }
            _ => None,
        };
        let bill = self.cost.bill(candidate.embedding)?;
        Ok(Wish { recover, budget: flops, bill, ..self.wish.wish() })
    }
}

fn show(
    plans: &[(&Candidate, &GroupLaw, Plan)],
    allocation: Option<&Allocation>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let level = plans.first().map_or(0.9, |(_, group, _)| group.level());
    if let [(_, _, plan)] = plans {
        output.data(&format!("{}\n\n", plan.enough().sentence()))?;
        output.table(&show::answers(plan, level))?;
        if let Some(costs) = show::costs(plan, level) {
            output.data("\n")?;
            output.table(&costs)?;
        }
        if !plan.doublings().is_empty() {
            output.data("\n")?;
            output.table(&show::doublings(plan, level))?;
        }
    }
    let Some(found) = allocation else { return Ok(()) };
    if plans.len() == 1 {
        output.data("\n")?;
    }
    output.data(&format!("{}\n", show::best(found)))?;
    if !found.best().is_empty() {
        output.data("\nthe best offer of each candidate, after post-training\n")?;
        output.table(&show::offers(found.best().iter(), level))?;
    }
    let (front, step) = found.thinned(FRONT);
    if !front.is_empty() {
        output.data(&format!("\n{}\n", show::of_front(found.front().len(), front.len(), step)))?;
        output.table(&show::offers(front.into_iter(), level))?;
    }
    if plans.len() > 1 {
        output
            .data("\neach candidate by itself, enough being where a doubling buys too little\n")?;
        output.table(&show::candidates(plans))?;
    }
    for refusal in found.refused() {
        output.data(&format!("\n{}", show::refused(refusal)))?;
    }
    if !found.refused().is_empty() {
        output.data("\n")?;
    }
    for warning in found.warnings() {
        output.warn(warning.sentence());
    }
    Ok(())
}

/// The sentence of an answer, including its caveats.
pub(crate) fn sentence(answer: &Answer) -> String {
    answer.sentence().to_owned()
}

fn asked(plan: &Plan) -> impl Iterator<Item = &Answer> {
    let asked =
        [Some(plan.enough()), plan.enough_by_gain(), plan.for_target(), plan.for_recovery()];
    asked.into_iter().flatten()
}
