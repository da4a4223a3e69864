//! `training.jsonl` and `validation.jsonl` of NeMo AutoModel: one object a step. Each validation
//! set has a file of its own.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::format::jsonl::{line_error, parse};
use crate::import::gathered::Gathered;
use crate::import::json::{Row, whole};
use crate::import::reader::Import;
use crate::import::source::{Head, Lines, entries, name_of};
use crate::import::spot::Spot;
use crate::import::words::Word;

pub(in crate::import) struct Nemo;

const NAME: &str = "nemo";

impl Import for Nemo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "training.jsonl and validation.jsonl of NeMo AutoModel, or their folder"
    }

    fn recognises(&self, head: &Head) -> bool {
        if head.is_folder {
            return head.path.join("training.jsonl").is_file();
        }
        let text = head.text();
        let first = text.lines().next().and_then(|line| Row::parse(line.as_bytes()).ok());
        first.is_some_and(|row| {
            let is_logged = ["step", "epoch", "timestamp"].iter().all(|name| row.has(name));
            is_logged && (row.has("num_label_tokens") || row.has("num_tokens_per_step"))
        })
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        if !path.is_dir() {
            return read_file(path, into);
        }
        let is_log = |path: &Path| {
            let name = name_of(path);
            (name.starts_with("training") || name.starts_with("validation"))
                && name.ends_with(".jsonl")
                && path.is_file()
        };
        // By name, so training comes first and its tokens are known when losses ask for them.
        entries(path)?.iter().filter(|path| is_log(path)).try_for_each(|path| read_file(path, into))
    }
}

fn read_file(path: &Path, into: &mut Gathered) -> Result<()> {
    // The first step has number 0, and is logged once it is done.
    into.stated().from_zero = true;
    let set = match name_of(path).strip_suffix(".jsonl") {
        None | Some("training" | "validation") => String::new(),
        Some(stem) => format!(" of {stem}"),
    };
    let mut lines = Lines::open(path)?;
    while let Some(row) = parse(NAME, path, &mut lines, into)? {
        let number = lines.number();
        let step = row.number("step").and_then(whole).ok_or_else(|| {
            Spot { path, format: NAME }.damaged(&line_error(number), "it has no `step`")
        })?;
        let is_training = !row.has("val_loss");
        for (name, value) in row.numbers() {
            match (name, is_training) {
                // Tokens that enter the loss; the others are padding and prompts.
                ("num_label_tokens", true) if value > 0.0 => {
                    into.number(name, Word::StepTokens, step, value)?;
                }
                ("num_tokens_per_step", true) if row.number("num_label_tokens") > Some(0.0) => {}
                ("lr" | "grad_norm" | "loss" | "num_tokens_per_step", true)
                | ("val_loss", false) => {
                    let name = format!("{name}{set}");
                    into.row(step, &[(&name, value)])?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
