//! What torchtitan prints: a line every so many steps, in colours, and one after each validation.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::reader::Import;
use crate::import::source::{Head, Lines};
use crate::import::spot::Spot;
use crate::import::words::Word;

pub(in crate::import) struct TorchTitan;

const NAME: &str = "torchtitan";
/// How a line begins that torchrun passes on from a process.
const RANK: &str = "[rank";

impl Import for TorchTitan {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "what torchtitan prints"
    }

    fn is_printed(&self) -> bool {
        true
    }

    fn recognises(&self, head: &Head) -> bool {
        // Colours stand between a name and its number.
        let text = head.text();
        text.lines().any(|line| {
            line.contains("step: ") && line.contains("loss: ") && line.contains("tps: ")
        })
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let mut lines = Lines::open(path)?;
        let mut rank = None;
        let mut found = false;
        while let Some(line) = lines.next_text()? {
            let Some((before, rest)) = line.split_once("step: ") else { continue };
            if !rest.contains("loss: ") {
                continue;
            }
            // Every process prints the same; one of them is enough.
            let of = before.trim_start().strip_prefix(RANK).and_then(|rest| rest.split(']').next());
            let of = of.map(str::to_owned);
            if rank.get_or_insert_with(|| of.clone()) != &of {
                continue;
            }
            let (step, rest) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
            let step = step.parse::<u64>().map_err(|_| {
                let place = format!("line {}", lines.number());
                Spot { path, format: NAME }.damaged(&place, "its step is no whole number")
            })?;
            found = true;
            let validates = before.trim_end().ends_with("validate");
            let (loss, word) = match validates {
                true => ("validation loss", Word::HeldOut),
                false => ("loss", Word::Training),
            };
            if let Some(number) = after(rest, "loss: ") {
                into.number(loss, word, step, number)?;
            }
            if let Some(norm) = after(rest, "grad_norm: ") {
                into.number("grad_norm", Word::GradNorm, step, norm)?;
            }
            if let Some(rate) = after(rest, "lr: ") {
                into.number("lr", Word::LearningRate, step, rate)?;
            }
        }
        if !found {
            return Err(Spot { path, format: NAME }.damaged("", "it holds no line of a step"));
        }
        Ok(())
    }
}

/// The number behind a name.
fn after(line: &str, name: &str) -> Option<f64> {
    let (_, rest) = line.split_once(name)?;
    rest.split_whitespace().next()?.parse().ok()
}
