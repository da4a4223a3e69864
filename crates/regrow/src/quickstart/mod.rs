//! The quickstart: the sweep of `recipes/quickstart.toml`, on generated text or on the user's own.
//! It takes a few minutes.

pub mod grammar;

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result, bail};
use crate::executor::Executor;
use crate::observer::Observer;
use crate::stop::Stop;
use crate::sweep::{SweepOptions, SweepOutcome, SweepRecipe};

/// The recipe that every quickstart begins with.
const RECIPE: &str = include_str!("../../../../recipes/quickstart.toml");

/// Held-out share of the user's own text. Its documents are longer than generated ones, so fewer of
/// them hold enough tokens.
const HELD_OUT_SHARE: f64 = 0.02;

/// Held-out tokens that each point of a curve reads of the user's own text.
const EVAL_TOKENS: i64 = 24_576;

/// In the user's own text, words depend on more distant words than in generated text. So sequences
/// are this many times longer, and batches have this many times fewer of them.
const LONGER_SEQUENCES: i64 = 4;

/// Tokens at the first held-out point of a curve on the user's own text. Such a curve has no steep
/// first part to leave out. A longer curve also has more loss to predict in its last fifth, which
/// is held out.
const EVAL_FIRST: i64 = 98_304;

/// The heading of the page.
const TITLE: &str = "regrow quickstart: how many tokens bring a pruned model back";

/// The options of a quickstart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuickstartOptions {
    /// Files and folders to train on. If empty, text is generated, and its entropy is known.
    pub texts: Vec<PathBuf>,
    /// Chooses the text, the initial weights and the order. No two seeds share a base.
    pub seed: NonZeroU32,
}

impl Default for QuickstartOptions {
    fn default() -> Self {
        Self { texts: Vec::new(), seed: NonZeroU32::MIN }
    }
}

impl QuickstartOptions {
    /// Trains on these files and folders.
    #[must_use]
    pub fn with_texts(mut self, texts: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        self.texts = texts.into_iter().map(Into::into).collect();
        self
    }

    /// Chooses text, weights and order by `seed`.
    #[must_use]
    pub fn with_seed(mut self, seed: NonZeroU32) -> Self {
        self.seed = seed;
        self
    }
}

/// Runs the sweep of [`recipe`] in the folder `out`, with the command `program` for its jobs. It
/// behaves as [`sweep::run`](crate::sweep::run).
///
/// # Errors
/// Where the recipe cannot be made, or the sweep fails.
pub fn run(
    options: &QuickstartOptions,
    (out, program): (&Path, &OsStr),
    executor: &dyn Executor,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<SweepOutcome> {
    let sweep = SweepOptions::new(out, program).with_title(TITLE);
    crate::sweep::run(&recipe(options)?, &sweep, executor, stop, observer)
}

/// The recipe for a text and a seed.
///
/// # Errors
/// Where a path does not exist, or is not UTF-8 and so cannot be written into a recipe.
pub fn recipe(options: &QuickstartOptions) -> Result<SweepRecipe> {
    SweepRecipe::parse(&written(options)?)
}

/// The text of the same recipe, as it is written into the sweep's folder.
fn written(QuickstartOptions { texts, seed }: &QuickstartOptions) -> Result<String> {
    let mut recipe: toml::Table = toml::from_str(RECIPE)?;
    shift_seeds(&mut recipe, *seed)?;
    let corpus = table(&mut recipe, "corpus")?;
    if texts.is_empty() {
        table(corpus, "grammar")?.insert("seed".into(), i64::from(seed.get()).into());
        return Ok(toml::to_string(&recipe)?);
    }
    corpus.remove("grammar");
    let inputs: Result<Vec<toml::Value>> = texts.iter().map(|path| input(path)).collect();
    corpus.insert("inputs".into(), toml::Value::Array(inputs?));
    corpus.insert("documents".into(), "blank-line".into());
    corpus.insert("heldout_share".into(), HELD_OUT_SHARE.into());
    for section in ["base", "heal"] {
        table(&mut recipe, section)?.insert("eval_tokens".into(), EVAL_TOKENS.into());
    }
    *number(table(&mut recipe, "heal")?, "eval_first")? = EVAL_FIRST;
    *number(&mut recipe, "context")? *= LONGER_SEQUENCES;
    *number(table(&mut recipe, "base")?, "batch")? /= LONGER_SEQUENCES;
    let calibration = table(&mut recipe, "calibration")?;
    *number(calibration, "length")? *= LONGER_SEQUENCES;
    *number(calibration, "samples")? /= LONGER_SEQUENCES;
    Ok(toml::to_string(&recipe)?)
}

/// Shifts every list of seeds, so that no two seeds of the command train the same base.
fn shift_seeds(recipe: &mut toml::Table, seed: NonZeroU32) -> Result<()> {
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
    // Shifted by the longest list, so that the ranges of two command seeds never overlap.
    let by = (i64::from(seed.get()) - 1) * most.unwrap_or(own).max(own) as i64;
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

/// An absolute path, which stays valid when the command is run again in another folder.
fn input(path: &Path) -> Result<toml::Value> {
    let whole = path.canonicalize().map_err(disk::io_error("open", path))?;
    let text = whole.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    Ok(text.to_owned().into())
}

fn table<'a>(within: &'a mut toml::Table, name: &str) -> Result<&'a mut toml::Table> {
    let found = within.get_mut(name).and_then(toml::Value::as_table_mut);
    found.with_context(|| format!("the recipe has no `{name}`"))
}

fn number<'a>(within: &'a mut toml::Table, name: &str) -> Result<&'a mut i64> {
    match within.get_mut(name) {
        Some(toml::Value::Integer(number)) => Ok(number),
        _ => bail!("the recipe has no whole number `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn options(texts: &[&Path], seed: u32) -> QuickstartOptions {
        QuickstartOptions::default().with_texts(texts).with_seed(seed.try_into().unwrap())
    }

    #[test]
    fn without_text_it_is_the_written_recipe() {
        let ours = SweepRecipe::parse(RECIPE).unwrap();
        assert!(recipe(&options(&[], 1)).unwrap().says_the_same(&ours));
        assert!(!recipe(&options(&[], 2)).unwrap().says_the_same(&ours));
    }

    #[test]
    fn every_seed_has_a_text_and_models_of_its_own() {
        let seeds = |seed: u32| -> BTreeSet<u64> {
            let recipe = recipe(&options(&[], seed)).unwrap();
            let sweep = recipe.keys();
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
        // Two seeds for each seed of the command: 1 and 2, ..., 13 and 14.
        assert_eq!(seeds(7), [13, 14].into());
    }

    #[test]
    fn texts_take_the_place_of_the_grammar() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let own = recipe(&options(&[file.path()], 1)).unwrap();
        let own = own.keys();
        assert_eq!(own.corpus.inputs, [file.path().canonicalize().unwrap()]);
        assert!(own.corpus.grammar.is_none());
        let ours = SweepRecipe::parse(RECIPE).unwrap();
        let ours = ours.keys();
        // Longer and fewer sequences: the number of calibration tokens must not change.
        assert_eq!(own.context.0, 4 * ours.context.0);
        assert_eq!(
            own.calibration.samples * own.calibration.length,
            ours.calibration.samples * ours.calibration.length
        );
        let missing = recipe(&options(&[Path::new("no such file")], 1));
        assert!(missing.unwrap_err().to_string().contains("no such file"));
    }
}
