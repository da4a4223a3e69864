//! Checks that the files of a model folder agree with the weights and with each other.

use std::path::Path;

use ledger::{Cut, CutRecord};
use model::folder::ModelFolder;
use model::mask::Masks;
use model::sparsity::Sparsity;
use model::verify::Verified;
use serde_json::Value;
use shape::count::Count;
use text::Tokenizer;

use crate::error::Result;

/// The largest `generation_config.json` that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The problems that can be found without reading a weight, one sentence each.
pub(super) fn of_files(folder: &ModelFolder) -> Vec<String> {
    let mut problems = Vec::new();
    let rows = folder.config().vocab_size();
    if let Some(path) = folder.tokenizer_json() {
        match Tokenizer::load(&path).map(|tokenizer| tokenizer.vocabulary()) {
            // Fewer tokens than rows are normal: embeddings are often padded to a round number.
            Ok(found) if found > rows => {
                problems.push(format!(
                    "`tokenizer.json` has {found} tokens, the embedding has {rows} rows"
                ));
            }
            Ok(_) => {}
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems.extend(tokens_outside(folder, rows));
    if let Err(error) = Masks::of(folder) {
        problems.push(error.to_string());
    }
    match prune::record_of(folder.path()) {
        Ok(Some(record)) => problems.extend(of_record(folder, &record)),
        Ok(None) => {}
        Err(error) => problems.push(error.to_string()),
    }
    problems
}

/// Token ids in the generation settings that the embedding has no row for.
fn tokens_outside(folder: &ModelFolder, rows: usize) -> Vec<String> {
    let file = folder.path().join("generation_config.json");
    let Ok(bytes) = disk::read(&file, LIMIT) else { return Vec::new() };
    let settings: Value = match serde_json::from_slice(&bytes) {
        Ok(settings) => settings,
        Err(error) => return vec![format!("`generation_config.json` is no JSON: {error}")],
    };
    let mut problems = Vec::new();
    for field in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        let named = settings.get(field);
        let listed = named.and_then(Value::as_array).into_iter().flatten();
        for id in named
            .into_iter()
            .chain(listed)
            .filter_map(Value::as_u64)
            .filter(|&id| id >= rows as u64)
        {
            problems.push(format!(
                "`generation_config.json` has {id} as `{field}`, the embedding has {rows} rows"
            ));
        }
    }
    problems
}

/// Differences between `cut.json` and the model.
fn of_record(folder: &ModelFolder, record: &CutRecord) -> Vec<String> {
    let config = folder.config();
    let mut problems = prune::differences(record, config);
    if let Cut::Sparse { pattern, linear, .. } = &record.cut {
        let listed = Sparsity::of(folder.path()).unwrap_or_default().tensors;
        let expected = shape::tensors::tensors(config).into_iter().filter(|tensor| {
            tensor.role.linear_name().is_some_and(|name| linear.iter().any(|other| other == name))
        });
        let odd: Vec<String> = expected
            .filter(|tensor| listed.get(&tensor.name) != Some(pattern))
            .map(|tensor| tensor.name)
            .collect();
        if let Some(first) = odd.first() {
            problems.push(format!(
                "`cut.json` made `{first}`{} {pattern} sparse, `sparsity.json` does not say so",
                if odd.len() > 1 { format!(" and {} more", odd.len() - 1) } else { String::new() }
            ));
        }
    }
    problems
}

/// Differences between the weights and `cut.json`.
pub(super) fn of_weights(
    folder: &Path,
    verified: &Verified,
    base: Option<&Path>,
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    // A `cut.json` that cannot be read is already reported by `of_files`.
    let Some(record) = prune::record_of(folder).ok().flatten() else {
        if base.is_some() {
            problems.push("there is no `cut.json` to hold against the base".to_owned());
        }
        return Ok(problems);
    };
    if let Cut::Sparse { linear, .. } = &record.cut {
        let pruned = |name: &str| linear.iter().any(|other| other == name);
        let cut = verified
            .tensors()
            .iter()
            .filter(|tensor| tensor.spec().role.linear_name().is_some_and(pruned));
        let (found, told) = (
            cut.map(|tensor| tensor.zeros()).sum::<u64>(),
            record.held.n0().0.saturating_sub(record.held.parameters().0),
        );
        if found != told {
            problems
                .push(format!("`cut.json` tells of {told} zeros, {found} stand in its tensors"));
        }
    }
    // A cut always changes the weights, so equal hashes mean a wrong `cut.json`.
    if record.base_hash == verified.hash() {
        problems.push("`cut.json` says that this model was cut from these very weights".to_owned());
    }
    if let Some(base) = base {
        let base_folder = ModelFolder::open(base)?;
        let (told, count) = (record.held.n0().0, Count::of(base_folder.config()).total());
        if told != count {
            problems.push(format!(
                "`cut.json` tells of {told} parameters before the cut, `{}` has {count}",
                base.display()
            ));
        }
        let found = base_folder.weights_hash()?;
        if found != record.base_hash {
            let (base, told) = (base.display(), &record.base_hash);
            problems.push(format!(
                "`cut.json` was made from weights of the hash {told}, those of `{base}` have {found}"
            ));
        }
    }
    Ok(problems)
}
