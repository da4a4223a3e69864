//! What Composer prints, the trainer of llm-foundry: a line with the progress, then one line a
//! number.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::json::whole;
use crate::import::reader::Import;
use crate::import::source::{Head, Lines};
use crate::import::spot::Spot;
use crate::import::words::{Word, meaning};

pub(in crate::import) struct Composer;

const NAME: &str = "composer";
const TRAIN: &str = "\t Train ";
const EVAL: &str = "\t Eval ";
const EVALUATES: &str = "[Eval batch=";

impl Import for Composer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "what Composer and llm-foundry print"
    }

    fn is_printed(&self) -> bool {
        true
    }

    fn recognises(&self, head: &Head) -> bool {
        let text = head.text();
        let progress = text.lines().any(|line| progress(line).is_some());
        progress && text.lines().any(|line| line.contains(TRAIN) || line.contains(EVAL))
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let mut lines = Lines::open(path)?;
        let mut block = Block::default();
        let mut found = false;
        while let Some(line) = lines.next_text()? {
            if let Some(progress) = progress(&line) {
                block.end(into)?;
                if let Some(batch) = progress.batch {
                    block.step = Some(batch);
                }
                block.is_numbered = progress.batch.is_some();
                found = true;
            } else if line.starts_with(EVALUATES) {
                block.end(into)?;
            } else if let Some((name, text)) = field(&line, TRAIN) {
                // `Train time/batch: 4` and the like tell of the moment before the batch.
                if let Ok(number) = text.parse::<f64>() {
                    block.train.push((name.to_owned(), number));
                }
            } else if let Some((name, text)) = field(&line, EVAL) {
                if let (Some(step), Ok(number)) = (block.step, text.parse::<f64>()) {
                    into.row(step, &[(name, number)])?;
                }
            } else if let Some(length) = line.trim().strip_prefix("max_seq_len: ")
                && let Ok(length) = length.parse()
            {
                into.stated().length = Some(length);
            }
        }
        block.end(into)?;
        if !found {
            return Err(Spot { path, format: NAME }.damaged("", "it holds no line of a batch"));
        }
        Ok(())
    }
}

/// The numbers behind one line of progress.
#[derive(Default)]
struct Block {
    step: Option<u64>,
    is_numbered: bool,
    train: Vec<(String, f64)>,
}

impl Block {
    fn end(&mut self, into: &mut Gathered) -> Result<()> {
        let train = std::mem::take(&mut self.train);
        if train.is_empty() {
            return Ok(());
        }
        let number = |name: &str| {
            train.iter().find(|(known, _)| known == name).and_then(|(_, number)| whole(*number))
        };
        let before = number("time/batch");
        // Where the progress is counted in tokens or epochs, only the numbers know the batch.
        if !self.is_numbered
            && let Some(before) = before
        {
            self.step = Some(before + 1);
        }
        let Some(step) = self.step else { return Ok(()) };
        for (name, value) in &train {
            let is_time = matches!(meaning(name), Some(Word::Tokens | Word::Samples));
            match (is_time, before) {
                (true, Some(before)) => into.row(before, &[(name, *value)])?,
                _ => into.row(step, &[(name, *value)])?,
            }
        }
        Ok(())
    }
}

/// A line of progress of the training; that of an evaluation has no batch of the training.
struct Progress {
    batch: Option<u64>,
}

/// `[batch=5/60]`, `[epoch=1][batch=5/48]`, `[token=4096/9999]`.
fn progress(line: &str) -> Option<Progress> {
    let line = line.trim_end_matches(':');
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let known = ["batch=", "token=", "epoch=", "sample=", "iteration="];
    if !known.iter().any(|name| inner.starts_with(name)) {
        return None;
    }
    // In an epoch the batches are counted from its own start.
    let batch = inner.strip_prefix("batch=").map(|rest| rest.split(['/', ']']).next());
    Some(Progress { batch: batch.flatten().and_then(|batch| batch.parse().ok()) })
}

fn field<'a>(line: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    // Some launchers put the process before each line.
    let (_, rest) = line.split_once(kind)?;
    let (name, text) = rest.rsplit_once(':')?;
    Some((name.trim(), text.trim()))
}
