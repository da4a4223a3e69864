//! `regrow planner`: a page that answers what a law knows.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use disk::FileKind;
use planner::PageParts;
use serde::Serialize;
use serde_json::{Value, json};

use crate::flags::force::existing;
use crate::terminal::{Exit, Output};
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  A page for colleagues without a terminal:
    regrow planner law.json --out planner.html

The page is one file and needs no network. It holds the law and the arithmetic of `plan` and `predict`, so its numbers
are theirs. The question stands in its address, and it shows the commands that ask the same.";

/// The planner for browsers; empty where it could not be built.
const WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/planner.wasm"));
/// Why it could not, and what to do.
const WHY: &str = env!("REGROW_NO_PLANNER");

/// The files that this module writes.
const KIND: FileKind = FileKind::new("a planner", "<!DOCTYPE html>", "content=\"regrow planner\"");

/// Fields of the page, and the flags of `plan` that mean the same.
const PLAN: [(&str, &str); 15] = [
    ("model", "--model"),
    ("n0", "--n0"),
    ("loss0", "--loss0"),
    ("series", "--series"),
    ("method", "--method"),
    ("objective", "--objective"),
    ("rate", "--rate"),
    ("gain", "--doubling-gain"),
    ("target", "--target-loss"),
    ("tokens", "--max-tokens"),
    ("params", "--max-params"),
    ("budget", "--budget"),
    ("device", "--device-peak"),
    ("utilisation", "--utilisation"),
    ("price", "--gpu-hour-price"),
];
/// The same of `predict`.
const PREDICT: [(&str, &str); 8] = [
    ("model", "--model"),
    ("n0", "--n0"),
    ("loss0", "--loss0"),
    ("series", "--series"),
    ("method", "--method"),
    ("objective", "--objective"),
    ("rate", "--rate"),
    ("tokens", "--tokens"),
];

/// Arguments of `regrow planner`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A law, written by `regrow fit`
    law: PathBuf,
    /// The page
    #[arg(short, long, value_name = "FILE.html")]
    out: PathBuf,
    /// Replace the page if it exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct PlannerReport<'a> {
    format: u32,
    page: &'a PathBuf,
    /// Bytes of the page.
    bytes: usize,
    /// Groups of the law.
    groups: usize,
}

/// Runs `regrow planner`.
///
/// # Errors
/// Where this build has no planner, the law cannot be read, or the page cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    KIND.check(&arguments.out, existing(arguments.force), &[&arguments.law])?;
    let law = law_file::read(&arguments.law)?;
    if WASM.is_empty() {
        bail!("this build of regrow has no planner, since {WHY}");
    }
    let name = arguments.law.file_name().unwrap_or_default().to_string_lossy();
    let page = planner::page(&PageParts {
        law: &law,
        wasm: WASM,
        commands: &commands(&name),
        version: regrow::VERSION,
    })?;
    disk::write(&arguments.out, page.as_bytes())?;
    if arguments.json {
        output.json(&PlannerReport {
            format: 1,
            page: &arguments.out,
            bytes: page.len(),
            groups: law.groups().len(),
        })?;
    } else {
        output.say(&format!(
            "the planner is in `{}`; any browser opens it, without a network",
            arguments.out.display()
        ));
    }
    Ok(Exit::Done)
}

/// How a question of the page is asked here: a flag by field, or by field and value.
fn commands(law: &str) -> Value {
    let flags = |list: &[(&str, &str)]| list.iter().map(|pair| json!(pair)).collect::<Vec<_>>();
    let mut plan = flags(&PLAN);
    plan.push(json!(["weights", {"zeroed": "--zeroed", "removed": "--removed"}]));
    plan.push(json!(["cached", {"yes": "--cached-teacher"}]));
    json!({"law": law, "plan": plan, "predict": flags(&PREDICT)})
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_field_of_the_page_has_a_flag_and_every_flag_is_there() {
        let cli = crate::cli::Cli::command();
        let all = commands("law.json");
        for name in ["plan", "predict"] {
            let command = cli.find_subcommand(name).unwrap();
            let known: Vec<&str> = command.get_arguments().filter_map(|a| a.get_long()).collect();
            let pairs = all[name].as_array().unwrap();
            let flags = pairs.iter().flat_map(|pair| match &pair[1] {
                Value::String(flag) => vec![flag.clone()],
                by_value => {
                    let flags = by_value.as_object().unwrap().values();
                    flags.map(|flag| flag.as_str().unwrap().to_owned()).collect()
                }
            });
            for flag in flags {
                assert!(known.contains(&flag.trim_start_matches("--")), "{name} {flag}");
            }
            for pair in pairs {
                assert!(planner::FIELDS.contains(&pair[0].as_str().unwrap()), "{pair}");
            }
        }
        let asked: Vec<&str> =
            all["plan"].as_array().unwrap().iter().filter_map(|pair| pair[0].as_str()).collect();
        for field in planner::FIELDS {
            assert!(asked.contains(&field), "`{field}` is in no command");
        }
    }
}
