//! Facts for the page: about the runs, and about how the page was made.

use std::collections::BTreeSet;
use std::path::Path;

use report::{Fact, RunFacts};
use store::RunFolder;

use super::folder::SweepFolder;
use super::recipe::SweepKeys;
use crate::error::Result;

/// The records of runs, under the names that the points table uses.
pub(super) fn of_runs(folders: &[RunFolder], names: &[String]) -> Result<Vec<RunFacts>> {
    let fact = |(folder, name): (&RunFolder, &String)| {
        Ok(RunFacts { name: name.clone(), record: folder.record().clone(), done: folder.done()? })
    };
    folders.iter().zip(names).map(fact).collect()
}

/// The program, the text, the seeds, and the hashes of the files behind the page.
pub(super) fn how_it_was_made(
    sweep: &SweepKeys,
    folder: &SweepFolder,
    points: &Path,
    law: &Path,
) -> Result<Vec<Fact>> {
    let hash = |path: &Path| -> Result<String> {
        Ok(ledger::Sha256::of(disk::read(path, u64::MAX)?).to_string())
    };
    let file = |name: &str, hash: String| Fact { name: format!("{name}, SHA-256"), value: hash };
    Ok(vec![
        Fact { name: "made by".into(), value: format!("regrow {}", crate::VERSION) },
        Fact { name: "text".into(), value: text_of(sweep) },
        Fact { name: "seeds".into(), value: seeds_of(sweep) },
        file("recipe.toml", hash(&folder.join("recipe.toml"))?),
        file("points.csv", hash(points)?),
        file("law.json", hash(law)?),
    ])
}

fn text_of(sweep: &SweepKeys) -> String {
    if let Some(grammar) = &sweep.corpus.grammar {
        return format!("a small language of known entropy, seed {}", grammar.seed);
    }
    if let Some(folder) = &sweep.corpus.folder {
        return folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = sweep.corpus.inputs.iter().map(|path| name(path)).collect();
    names.join(", ")
}

fn seeds_of(sweep: &SweepKeys) -> String {
    let sizes = sweep.series.iter().flat_map(|series| &series.sizes);
    let seeds: BTreeSet<u64> = sizes.flat_map(|size| sweep.seeds(size)).copied().collect();
    let names: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    names.join(", ")
}
