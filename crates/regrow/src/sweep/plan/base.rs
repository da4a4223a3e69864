//! The bases of a sweep: every size of every series, once per seed, and every model that exists.

use std::path::Path;

use model::folder::ModelFolder;
use shape::catalog;
use shape::config::ModelConfig;
use shape::count::Count;

use crate::error::{Error, ErrorKind, Result, bail};
use crate::sweep::folder::SweepFolder;
use crate::sweep::recipe::{CasePlace, Controls, ModelKeys, SeriesKeys, SweepKeys, place_of};

/// A model that will be pruned.
pub(super) struct PlannedBase<'a> {
    pub(super) id: String,
    pub(super) series: &'a SeriesKeys,
    /// The name of its size, or of the model.
    pub(super) name: String,
    pub(super) origin: BaseOrigin<'a>,
    pub(super) config: ModelConfig,
    pub(super) parameters: u64,
    pub(super) seed: u64,
    pub(super) learning_rate: Option<f64>,
    /// Whether it is also trained further without pruning, as a control.
    pub(super) control: bool,
}

/// Where a base comes from.
#[derive(Clone, Copy)]
pub(super) enum BaseOrigin<'a> {
    /// It is trained from scratch.
    Scratch,
    /// It exists.
    Exists(&'a ModelKeys),
}

impl PlannedBase<'_> {
    /// What cases are held against, for a cut of it.
    pub(super) fn place<'b>(&'b self, method: &'b str, cut: &'b str) -> CasePlace<'b> {
        CasePlace { series: &self.series.name, base: [&self.id, &self.name], method, cut }
    }
}

/// The bases, in the order of the recipe.
pub(super) fn bases<'a>(
    sweep: &'a SweepKeys,
    folder: &SweepFolder,
) -> Result<Vec<PlannedBase<'a>>> {
    let mut bases = Vec::new();
    // Read once, and only where a model is made from scratch.
    let mut vocabulary = None;
    for series in &sweep.series {
        for size in &series.sizes {
            let tokens = match vocabulary {
                Some(tokens) => tokens,
                None => *vocabulary.insert(vocabulary_of(sweep, folder)?),
            };
            let config = sweep.config(series, size, tokens)?;
            let parameters = Count::of(&config).total();
            let seeds = sweep.seeds(size);
            for &seed in seeds {
                let name = format!("{}-{}", series.name, size.name());
                bases.push(PlannedBase {
                    // Names stay short where a size has one seed.
                    id: if seeds.len() == 1 { name } else { format!("{name}-seed{seed}") },
                    series,
                    name: size.name(),
                    origin: BaseOrigin::Scratch,
                    config: config.clone(),
                    parameters,
                    seed,
                    learning_rate: size.learning_rate,
                    control: match sweep.controls {
                        Controls::Every => true,
                        Controls::OneASize => seed == seeds[0],
                        Controls::None => false,
                    },
                });
            }
        }
        for model in &series.models {
            let config = config_of(&model.model)?;
            let positions = config.max_position_embeddings() as u64;
            if sweep.context.0 > positions {
                bail!(
                    "`context` is {}, expected at most the {positions} positions of `{}`",
                    sweep.context,
                    model.model
                );
            }
            bases.push(PlannedBase {
                id: format!("{}-{}", series.name, model.name()),
                series,
                name: model.name().to_owned(),
                origin: BaseOrigin::Exists(model),
                parameters: Count::of(&config).total(),
                config,
                seed: sweep.seeds[0],
                learning_rate: model.learning_rate,
                control: sweep.controls != Controls::None,
            });
        }
    }
    Ok(bases)
}

/// The configuration of a model that exists: of its folder, or of a public model by its id.
pub(super) fn config_of(model: &str) -> Result<ModelConfig> {
    let path = Path::new(model);
    if path.exists() {
        return Ok(ModelFolder::config_of(path)?);
    }
    if let Some(public) = catalog::find(model) {
        return Ok(public.config());
    }
    let place = place_of(model);
    if place.exists() {
        return Ok(ModelFolder::config_of(&place)?);
    }
    let message = format!(
        "`{model}` is neither a folder, nor in the cache of the hub, nor a public model that is known here"
    );
    Err(Error::new(ErrorKind::UnknownModel, message))
}

/// The tokens that the text is made of.
fn vocabulary_of(sweep: &SweepKeys, folder: &SweepFolder) -> Result<usize> {
    if let Some(count) = sweep.corpus.vocabulary {
        return Ok(usize::try_from(count.0).unwrap_or(usize::MAX));
    }
    if let Some(path) = &sweep.corpus.tokenizer {
        return Ok(text::Tokenizer::load(path)?.vocabulary());
    }
    if sweep.corpus.folder.is_some() {
        return Ok(text::Corpus::open(&folder.corpus_of(sweep))?.info().vocabulary());
    }
    // The models that exist bring the tokenizer; their embedding may have more rows than it.
    let sizes: Result<Vec<usize>> =
        sweep.models().map(|model| Ok(config_of(&model.model)?.vocab_size())).collect();
    Ok(sizes?.into_iter().max().unwrap_or_default())
}
