//! The whole idea in a few minutes: the sweep of `recipes/quickstart.toml`, on our own text or on
//! yours.

pub mod grammar;

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The recipe that every quickstart begins with.
const RECIPE: &str = include_str!("../../../../recipes/quickstart.toml");

/// Held-out share of text that a person brings: its documents are longer than ours.
const HELD_OUT: f64 = 0.02;

/// Held-out tokens that each point of a curve reads of such text.
const READ: i64 = 24_576;

/// Text that a person brings hangs together over more tokens than ours: its sequences are so many
/// times longer, and fewer.
const LONGER: i64 = 4;

/// Tokens at the first held-out point of a curve on such text: it has no first fall that is much
/// steeper than the rest, and the longer the curve, the more there is to foresee in its last fifth.
const FIRST: i64 = 98_304;

/// The recipe for `texts`, or for our own text where there is none, as it is written into the
/// folder of the sweep.
///
/// # Errors
/// Where a path is not there or is not UTF-8, and so has no place in a recipe.
pub fn recipe(texts: &[PathBuf], seed: u32) -> anyhow::Result<String> {
    let mut recipe: toml::Table = toml::from_str(RECIPE)?;
    shift_seeds(&mut recipe, seed)?;
    let seed = i64::from(seed);
    let corpus = table(&mut recipe, "corpus")?;
    if texts.is_empty() {
        table(corpus, "grammar")?.insert("seed".into(), seed.into());
        return Ok(toml::to_string(&recipe)?);
    }
    corpus.remove("grammar");
    let inputs: anyhow::Result<Vec<toml::Value>> = texts.iter().map(|path| input(path)).collect();
    corpus.insert("inputs".into(), toml::Value::Array(inputs?));
    corpus.insert("documents".into(), "blank-line".into());
    corpus.insert("heldout_share".into(), HELD_OUT.into());
    for section in ["base", "heal"] {
        table(&mut recipe, section)?.insert("eval_tokens".into(), READ.into());
    }
    *number(table(&mut recipe, "heal")?, "eval_first")? = FIRST;
    *number(&mut recipe, "context")? *= LONGER;
    *number(table(&mut recipe, "base")?, "batch")? /= LONGER;
    let calibration = table(&mut recipe, "calibration")?;
    *number(calibration, "length")? *= LONGER;
    *number(calibration, "samples")? /= LONGER;
    Ok(toml::to_string(&recipe)?)
}

/// Moves every list of seeds on, so that each seed of the command trains bases that no other does.
fn shift_seeds(recipe: &mut toml::Table, seed: u32) -> anyhow::Result<()> {
    fn tables<'a>(
        within: &'a mut toml::Table,
        name: &str,
    ) -> impl Iterator<Item = &'a mut toml::Table> + use<'a> {
        let list = within.get_mut(name).and_then(toml::Value::as_array_mut);
        list.into_iter().flatten().filter_map(toml::Value::as_table_mut)
    }
    fn sizes(recipe: &mut toml::Table) -> impl Iterator<Item = &mut toml::Table> {
        tables(recipe, "series").flat_map(|series| tables(series, "sizes"))
    }
    fn seeds(within: &mut toml::Table) -> Option<&mut Vec<toml::Value>> {
        within.get_mut("seeds").and_then(toml::Value::as_array_mut)
    }
    let own = seeds(recipe).context("the recipe has no `seeds`")?.len();
    let most = sizes(recipe).filter_map(|size| seeds(size)).map(|seeds| seeds.len()).max();
    let by = (i64::from(seed) - 1) * most.unwrap_or(own).max(own) as i64;
    let shift = |seeds: &mut Vec<toml::Value>| {
        for seed in seeds {
            if let toml::Value::Integer(seed) = seed {
                *seed += by;
            }
        }
    };
    seeds(recipe).into_iter().for_each(shift);
    sizes(recipe).filter_map(seeds).for_each(shift);
    Ok(())
}

/// A path that still means the same when the command is given again from elsewhere.
fn input(path: &Path) -> anyhow::Result<toml::Value> {
    let whole = path.canonicalize().map_err(disk::io_error("open", path))?;
    let text = whole.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    Ok(text.to_owned().into())
}

fn table<'a>(within: &'a mut toml::Table, name: &str) -> anyhow::Result<&'a mut toml::Table> {
    let found = within.get_mut(name).and_then(toml::Value::as_table_mut);
    found.with_context(|| format!("the recipe has no `{name}`"))
}

fn number<'a>(within: &'a mut toml::Table, name: &str) -> anyhow::Result<&'a mut i64> {
    match within.get_mut(name) {
        Some(toml::Value::Integer(number)) => Ok(number),
        _ => anyhow::bail!("the recipe has no whole number `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sweep::recipe::Sweep;

    #[test]
    fn without_text_it_is_the_written_recipe() {
        assert_eq!(Sweep::parse(&recipe(&[], 1).unwrap()).unwrap(), Sweep::parse(RECIPE).unwrap());
    }

    #[test]
    fn every_seed_has_a_text_and_models_of_its_own() {
        let seeds = |seed: u32| -> BTreeSet<u64> {
            let sweep = Sweep::parse(&recipe(&[], seed).unwrap()).unwrap();
            assert_eq!(sweep.corpus.grammar.as_ref().unwrap().seed, u64::from(seed));
            sweep
                .series
                .iter()
                .flat_map(|series| &series.sizes)
                .flat_map(|size| sweep.seeds(size))
                .copied()
                .collect()
        };
        assert_eq!(seeds(1), [1, 2].into());
        assert_eq!(seeds(7), [13, 14].into());
    }

    #[test]
    fn texts_take_the_place_of_the_grammar() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let own = Sweep::parse(&recipe(&[file.path().to_path_buf()], 1).unwrap()).unwrap();
        assert_eq!(own.corpus.inputs, [file.path().canonicalize().unwrap()]);
        assert!(own.corpus.grammar.is_none());
        let ours = Sweep::parse(RECIPE).unwrap();
        assert_eq!(own.context.0, 4 * ours.context.0);
        assert_eq!(
            own.calibration.samples * own.calibration.length,
            ours.calibration.samples * ours.calibration.length
        );
        assert!(
            recipe(&["no such file".into()], 1).unwrap_err().to_string().contains("no such file")
        );
    }
}
