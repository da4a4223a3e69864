//! W&B's exported CSV: a chart, whose columns are named after its runs, or a run's history.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::failure::ImportError;
use crate::import::format::csv::{looks_like_table, read_rows};
use crate::import::gathered::Gathered;
use crate::import::reader::{Import, chosen};
use crate::import::source::Head;
use crate::import::table::Table;
use crate::import::words::Word;

pub(in crate::import) struct Wandb;

const NAME: &str = "wandb";
/// What stands between a run's name and its metric.
const BETWEEN: &str = " - ";

impl Import for Wandb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "a CSV that W&B exports, of a chart or of a run's history"
    }

    fn recognises(&self, head: &Head) -> bool {
        let text = head.text();
        let first = text.lines().next().unwrap_or_default();
        let chart = first.contains(BETWEEN) && first.contains("__MAX");
        let history = first.split(',').any(|cell| cell.trim_matches('"') == "_step");
        (chart || history) && looks_like_table(&text)
    }

    fn read(&self, path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()> {
        let mut table = Table::open(path, NAME)?;
        // The extremes of a smoothed chart are no measurements of their own.
        let is_extreme = |head: &str| head.ends_with("__MIN") || head.ends_with("__MAX");
        let heads: Vec<(usize, &str)> = table
            .heads()
            .iter()
            .map(String::as_str)
            .enumerate()
            .filter(|(_, head)| !head.is_empty() && !is_extreme(head))
            .collect();
        let runs: BTreeSet<&str> =
            heads.iter().filter_map(|(_, head)| Some(head.rsplit_once(BETWEEN)?.0)).collect();
        let run = match runs.is_empty() {
            true => None,
            false => Some(chosen(
                runs.iter().map(|run| (*run).to_owned()).collect(),
                asked.run.as_deref(),
            )?),
        };
        let column = |(at, head): &(usize, &str)| match head.rsplit_once(BETWEEN) {
            Some((of, metric)) => (Some(of) == run.as_deref()).then(|| (*at, metric.to_owned())),
            None => Some((*at, (*head).to_owned())),
        };
        let columns: Vec<(usize, String)> = heads.iter().filter_map(column).collect();
        // The first column of a chart is its axis, under the axis's own name.
        if run.is_some()
            && let Some((_, axis)) = columns.first()
            && !matches!(into.word(axis), Some(Word::Step | Word::Tokens))
        {
            return Err(ImportError::NoSteps { found: vec![axis.clone()] }.into());
        }
        read_rows(&mut table, &columns, path, NAME, into)
    }
}
