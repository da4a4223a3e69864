//! `regrow plan`: how many tokens are enough.

use std::path::PathBuf;

use clap::Args;
use law::{Answer, Plan, Wish};
use serde::Serialize;

use super::predict::PlaceFlags;
use crate::law_file;
use crate::number::{ends, nats, percent, short, tokens};
use crate::output::{Exit, Output};
use crate::table::{Align, Table};

const EXAMPLES: &str = "\
Examples:
  How many tokens are enough for an 8B model with a quarter of it removed:
    regrow plan law.json --n0 8.03e9 --rate 0.25 --loss0 2.05

  Enough is where a million more tokens buy less than 0.0001 nats; and what a loss of 2.2 takes:
    regrow plan law.json --n0 8.03e9 --rate 0.25 --loss0 2.05 --min-gain 1e-4 --target-loss 2.2

Where the data cannot tell, no number is given and the exit status is 3.";

/// Arguments of `regrow plan`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A law, written by `regrow fit`
    law: PathBuf,
    #[command(flatten)]
    place: PlaceFlags,
    #[command(flatten)]
    wish: WishFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// When tokens are enough.
#[derive(Debug, Args)]
pub(crate) struct WishFlags {
    /// Enough is where doubling the tokens buys less than this
    #[arg(long, value_name = "NATS", default_value_t = Wish::default().doubling_gain, allow_negative_numbers = true)]
    doubling_gain: f64,
    /// Enough is also where a million more tokens buy less than this
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    min_gain: Option<f64>,
    /// Say how many tokens this loss takes, nats per token
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    target_loss: Option<f64>,
}

impl WishFlags {
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            doubling_gain: self.doubling_gain,
            min_gain: self.min_gain,
            target_loss: self.target_loss,
            ..Wish::default()
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    series: &'a str,
    method: &'a str,
    form: &'a str,
    level: f64,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Runs `regrow plan`.
///
/// # Errors
/// Where the law cannot be read, or the question fits none of its groups or lies outside all sense.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let law = law_file::read(&arguments.law)?;
    let group = arguments.place.group(&law)?;
    let plan = group.plan(arguments.place.place()?, &arguments.wish.wish())?;
    if arguments.json {
        let (series, method, form) = (&group.series, &group.method, &group.form);
        output.json(&Report { format: 1, series, method, form, level: group.level, plan: &plan })?;
    } else {
        output.data(&format!("{}\n\n", sentence(&plan.enough)))?;
        output.table(&answers(&plan, group.level))?;
        if !plan.doublings.is_empty() {
            output.data("\n")?;
            output.table(&doublings(&plan))?;
        }
    }
    let asked = [Some(&plan.enough), plan.enough_by_gain.as_ref(), plan.for_target.as_ref()];
    let told = asked.into_iter().flatten().all(is_told);
    Ok(if told { Exit::Done } else { Exit::CannotTell })
}

/// What an answer says, and what speaks against it.
pub(crate) fn sentence(answer: &Answer) -> String {
    match answer.code.is_empty() {
        true => answer.sentence.clone(),
        false => format!("{} ({})", answer.sentence, answer.code.join(", ")),
    }
}

/// That a loss lies below the floor is an answer too.
fn is_told(answer: &Answer) -> bool {
    answer.value.is_some() || answer.code.iter().any(|code| code == "below-floor")
}

fn answers(plan: &Plan, level: f64) -> Table {
    let interval = format!("{} interval", percent(level));
    let mut table = Table::new(&[
        ("", Align::Left),
        ("", Align::Right),
        (&interval, Align::Left),
        ("notes", Align::Left),
    ]);
    let mut add = |what: String, answer: &Answer, show: fn(f64) -> String| {
        let value = answer.value.map_or_else(|| "unknown".to_owned(), show);
        let span = ends(answer.interval.or(answer.hull), show);
        table.row([what, value, span, answer.code.join(", ")]);
    };
    add(format!("tokens until a doubling buys {} nats", short(plan.doubling_gain)), &plan.enough, tokens);
    if let (Some(gain), Some(answer)) = (plan.min_gain, &plan.enough_by_gain) {
        add(format!("tokens until a million buy {} nats", short(gain)), answer, tokens);
    }
    if let (Some(target), Some(answer)) = (plan.target_loss, &plan.for_target) {
        add(format!("tokens for a loss of {} nats", nats(target)), answer, tokens);
    }
    add("floor, nats per token".to_owned(), &plan.floor, nats);
    if let Some(loss) = plan.loss_then {
        let what = "loss after enough tokens, nats".to_owned();
        table.row([what, nats(loss), String::new(), String::new()]);
    }
    table
}

fn doublings(plan: &Plan) -> Table {
    let mut table = Table::new(&[("tokens", Align::Right), ("doubling them buys, nats", Align::Right)]);
    for doubling in &plan.doublings {
        table.row([tokens(doubling.from), short(doubling.gain)]);
    }
    table
}
