//! What Megatron-LM prints: a line of numbers every so many iterations, and one after each
//! evaluation.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::reader::Import;
use crate::import::source::{Head, Lines};
use crate::import::spot::Spot;
use crate::import::words::{Unit, Word};

pub(in crate::import) struct Megatron;

const NAME: &str = "megatron";
const EVALUATED: &str = "validation loss at iteration ";

impl Import for Megatron {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "what Megatron-LM prints"
    }

    fn is_printed(&self) -> bool {
        true
    }

    fn recognises(&self, head: &Head) -> bool {
        let is_known = |line: &str| numbers(line).is_some() || line.contains(EVALUATED);
        head.text().lines().any(is_known)
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let mut lines = Lines::open(path)?;
        let mut found = false;
        let mut evaluated = false;
        while let Some(line) = lines.next_text()? {
            let spot = || Spot { path, format: NAME };
            let place = format!("line {}", lines.number());
            if let Some((step, rest)) = numbers(&line) {
                found = true;
                let mut row = Vec::new();
                for field in rest.split('|') {
                    let Some((name, text)) = field.rsplit_once(':') else { continue };
                    let name = name.trim();
                    // Others, such as times, may be no numbers.
                    if let Ok(number) = text.trim().parse::<f64>() {
                        row.push((name.to_owned(), number));
                    }
                }
                let batch = row.iter().find(|(name, _)| name == "global batch size");
                if let Some((_, size)) = batch {
                    // A batch that grows is in the samples, and in no single number.
                    let size = Some(*size as u64);
                    let known = &mut into.stated().global_batch;
                    *known = if known.is_none() || *known == size { size } else { Some(0) };
                }
                let row: Vec<(&str, f64)> =
                    row.iter().map(|(name, number)| (name.as_str(), *number)).collect();
                into.row(step, &row)?;
            } else if let Some((_, rest)) = line.split_once(EVALUATED) {
                found = true;
                let (head, fields) = rest.split_once('|').unwrap_or((rest, ""));
                let (number, on) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
                let step = number
                    .trim_end_matches(':')
                    .parse::<u64>()
                    .map_err(|_| spot().damaged(&place, "its iteration is no whole number"))?;
                // The test comes once, at the end.
                if on.contains("test") && evaluated {
                    continue;
                }
                evaluated = true;
                let set = match on {
                    "" | "on validation set" => String::new(),
                    on => format!(" {on}"),
                };
                for field in fields.split('|') {
                    let Some((name, text)) = field.rsplit_once(':') else { continue };
                    let Ok(number) = text.trim().parse::<f64>() else { continue };
                    let name = name.trim();
                    if let Some(loss) = name.strip_suffix(" value") {
                        let name = format!("{loss} validation{set}");
                        into.row(step, &[(&name, number)])?;
                    } else if let Some(loss) = name.strip_suffix(" PPL") {
                        let word = Word::OtherUnit(Unit::Perplexity);
                        into.number(&format!("{loss} validation{set} PPL"), word, step, number)?;
                    }
                }
            } else if let Some(length) = argument(&line, "seq_length") {
                into.stated().length = Some(length);
            }
        }
        if into.stated().global_batch == Some(0) {
            into.stated().global_batch = None;
        }
        if !found {
            return Err(Spot { path, format: NAME }.damaged("", "it holds no line of an iteration"));
        }
        Ok(())
    }
}

/// The iteration of a line of numbers, and the rest of it.
fn numbers(line: &str) -> Option<(u64, &str)> {
    let (_, rest) = line.split_once(" iteration ")?;
    let (step, rest) = rest.split_once('/')?;
    let (_, rest) = rest.split_once('|')?;
    // A line of an iteration has fields; other programs speak of iterations too.
    rest.contains(": ").then_some((step.trim().parse().ok()?, rest))
}

/// The value of an argument in the list that is printed at the start.
fn argument(line: &str, name: &str) -> Option<u64> {
    let rest = line.trim().strip_prefix(name)?.trim_start();
    let value = rest.strip_prefix("..")?.trim_start_matches('.');
    value.trim().parse().ok()
}
