//! MLflow's folders: a run has `meta.yaml`, and in `metrics` a file a metric, one line a value:
//! time, value, step.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::reader::{Import, chosen};
use crate::import::source::{Head, Lines, entries, name_of};
use crate::import::spot::Spot;

pub(in crate::import) struct Mlflow;

const NAME: &str = "mlflow";
/// How deep metrics may lie in folders, as `eval/loss` does.
const DEPTH: usize = 6;
/// The longest file of a run that holds one short fact, in bytes.
const FACT: u64 = 64 << 10;

impl Import for Mlflow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "a folder of MLflow: of a run, of an experiment, or `mlruns`"
    }

    fn recognises(&self, head: &Head) -> bool {
        head.is_folder && !runs(&head.path, 2).is_empty()
    }

    fn read(&self, path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()> {
        let mut runs = runs(path, 2);
        let run = match runs.len() {
            1 if asked.run.is_none() => runs.swap_remove(0),
            _ => {
                let names: Vec<String> = runs.iter().map(|run| name(run)).collect();
                let chosen = chosen(names.clone(), asked.run.as_deref())?;
                runs.swap_remove(names.iter().position(|name| *name == chosen).unwrap_or_default())
            }
        };
        let stated = into.stated();
        let parameter = |names: &[&str]| {
            names.iter().find_map(|name| {
                let text = disk::read_to_string(&run.join("params").join(name), FACT).ok()?;
                text.trim().parse::<u64>().ok().filter(|number| *number > 0)
            })
        };
        stated.batch = parameter(&["per_device_train_batch_size"]);
        stated.accumulation = parameter(&["gradient_accumulation_steps"]);
        // Not `max_length`: transformers logs it of text generation.
        stated.length = parameter(&["max_seq_length", "seq_length", "block_size"]);
        read_metrics(&run.join("metrics"), "", DEPTH, into)
    }
}

/// The folders of runs at or below a folder.
fn runs(folder: &Path, depth: usize) -> Vec<PathBuf> {
    if folder.join("metrics").is_dir() && folder.join("meta.yaml").is_file() {
        return vec![folder.to_path_buf()];
    }
    if depth == 0 {
        return Vec::new();
    }
    let below = entries(folder).unwrap_or_default();
    below.iter().filter(|path| path.is_dir()).flat_map(|path| runs(path, depth - 1)).collect()
}

/// The name of a run, or that of its folder.
fn name(run: &Path) -> String {
    let meta = disk::read_to_string(&run.join("meta.yaml"), FACT).unwrap_or_default();
    let named = meta.lines().find_map(|line| line.strip_prefix("run_name:"));
    let named = named.map(|name| name.trim().trim_matches(['\'', '"']).to_owned());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| name_of(run))
}

fn read_metrics(folder: &Path, prefix: &str, depth: usize, into: &mut Gathered) -> Result<()> {
    for path in entries(folder)? {
        let name = format!("{prefix}{}", name_of(&path));
        let is_folder = fs::metadata(&path).is_ok_and(|data| data.is_dir());
        if is_folder && depth > 0 {
            read_metrics(&path, &format!("{name}/"), depth - 1, into)?;
        } else if !is_folder && into.word(&name).is_some() {
            read_metric(&path, &name, into)?;
        }
    }
    Ok(())
}

fn read_metric(path: &Path, name: &str, into: &mut Gathered) -> Result<()> {
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next_text()? {
        let cells: Vec<&str> = line.split_whitespace().collect();
        // Older versions write no step.
        let parsed = match cells[..] {
            [_, value, step] => value.parse::<f64>().ok().zip(step.parse::<u64>().ok()),
            [] => continue,
            _ => None,
        };
        match parsed {
            Some((value, step)) => into.row(step, &[(name, value)])?,
            None if !lines.is_whole() && lines.number() > 1 => into.remark(format!(
                "`{}` ends within line {}: its writer was killed or is still at work",
                name_of(path),
                lines.number()
            )),
            None => {
                let place = format!("line {}", lines.number());
                let why = "expected a time, a value and a step";
                return Err(Spot { path, format: NAME }.damaged(&place, why));
            }
        }
    }
    Ok(())
}
