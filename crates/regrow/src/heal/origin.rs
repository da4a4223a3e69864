//! The starting point of a run: the weights of a model folder, or random weights for a
//! configuration.

use std::path::Path;

use ledger::{CutRecord, Params, Rate, Start};
use model::backend::Backend;
use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::mask::Masks;
use model::safetensors::Dtype;
use serde_json::json;
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;
use text::Corpus;

use crate::error::{Result, bail};
use crate::lineage::{self, Lineage};
use crate::loaded;
use crate::machine::{HostWeights, TrainingMachine};
use crate::observer::Observer;
use crate::source::open_corpus;

/// The starting point of a run, and its corpus.
pub(super) struct Origin {
    pub(super) config: ModelConfig,
    pub(super) raw: RawConfig,
    /// The number format of the stored final weights.
    pub(super) dtype: Dtype,
    /// The model folder; `None` for random initial weights.
    pub(super) folder: Option<ModelFolder>,
    pub(super) lineage: Lineage,
    pub(super) start: Start,
    pub(super) corpus: Corpus,
    /// The weights that stay zero.
    pub(super) masks: Masks,
}

impl Origin {
    /// From a model folder.
    pub(super) fn model(path: &Path, corpus: &Path, observer: &mut dyn Observer) -> Result<Self> {
        let folder = loaded::open(path, observer)?;
        let lineage = lineage::of(&folder)?;
        let config = folder.config().clone();
        if let Some(cut) = &lineage.cut {
            // A `cut.json` of another model would give the run a wrong rate and `n0`.
            if let Some(difference) = prune::differences(cut, &config).first() {
                bail!("`{}`: {difference}", path.display());
            }
        }
        let corpus = open_corpus(corpus, &folder, observer)?;
        check_vocabulary(&config, folder.raw_config(), &corpus)?;
        let masks = Masks::of(&folder)?;
        let start = Start::Weights { hash: folder.weights_hash()?, sparsity: masks.hash() };
        let (raw, dtype) = (folder.raw_config().clone(), folder.dtype());
        Ok(Self { config, raw, dtype, folder: Some(folder), lineage, start, corpus, masks })
    }

    /// From a `config.json`, or the one in a folder.
    pub(super) fn random(path: &Path, corpus: &Path) -> Result<Self> {
        let mut raw = ModelFolder::raw_config_of(path)?;
        let config = ModelConfig::from_raw(&raw)?;
        let corpus = Corpus::open(corpus)?;
        check_vocabulary(&config, &raw, &corpus)?;
        if config.bos_token_id().is_none() {
            // Other programs read the begin token from `config.json`.
            raw.set("bos_token_id", corpus.info().begin().id);
        }
        // There are no stored weights to follow, so the final ones keep full precision.
        raw.set_dtype(Dtype::F32.torch_name());
        // The hash covers the parsed configuration. White space and unknown fields therefore do not
        // change the run's id.
        let config_hash = ledger::Sha256::of(config.to_raw().to_json()).to_string();
        let base = name_of_config(path);
        let series = config.family().name.to_owned();
        let lineage = Lineage { cut: None, series, base, loss: None, phase: None };
        let start = Start::Random { config_hash };
        Ok(Self {
            config,
            raw,
            dtype: Dtype::F32,
            folder: None,
            lineage,
            start,
            corpus,
            masks: Masks::default(),
        })
    }

    /// The weights before the first step.
    pub(super) fn weights(
        &self,
        decoder: &Decoder<TrainingMachine>,
        seed: u64,
    ) -> model::Result<HostWeights> {
        let Some(folder) = &self.folder else {
            let mut weights = decoder.backend().allocate(decoder.layout().elements())?;
            decoder.backend().upload(
                &model::weights::initial(&self.config, seed),
                &mut weights,
                0,
            )?;
            return Ok(weights);
        };
        model::weights::load(folder, decoder.backend())
    }

    /// Parameters of the model that is trained.
    pub(super) fn parameters(&self) -> Result<Params> {
        Ok(Params(Count::of(&self.config).total()))
    }

    /// Parameters before pruning, and the realised rates.
    pub(super) fn sizes(&self) -> Result<(Params, Rate, Rate)> {
        match &self.lineage.cut {
            Some(cut) => Ok((cut.held.n0(), cut.held.rate(), cut.held.rate_without_embedding())),
            None => Ok((self.parameters()?, Rate::NONE, Rate::NONE)),
        }
    }

    /// The pruning method, `none` for a control.
    pub(super) fn method(&self) -> &str {
        self.lineage.cut.as_ref().map_or("none", |cut: &CutRecord| &cut.method)
    }

    /// A `tokenizer_config.json` for a model trained from scratch. It names the corpus's begin
    /// token.
    pub(super) fn tokenizer_config(&self) -> Vec<u8> {
        let begin = &self.corpus.info().begin().text;
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": begin,
            "eos_token": begin,
            "clean_up_tokenization_spaces": false,
            "model_max_length": self.config.max_position_embeddings(),
        });
        serde_json::to_vec_pretty(&config).expect("a JSON value is always JSON")
    }
}

/// Checks that every token of the corpus has a row in the model's embedding.
fn check_vocabulary(config: &ModelConfig, raw: &RawConfig, corpus: &Corpus) -> Result<()> {
    let (found, expected) = (config.vocab_size(), corpus.info().vocabulary());
    // Only too few rows are an error: many models pad their embedding to a round number.
    if found < expected {
        bail!(
            "`vocab_size` is {found} in `{}`, expected at least the corpus's vocabulary of {expected}",
            raw.path().display()
        );
    }
    Ok(())
}

/// `tiny` for `configs/tiny.json`, `tiny/config.json` and `tiny`.
fn name_of_config(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let plain = path.file_name().is_some_and(|name| name == "config.json");
    let name = match (path.is_dir(), plain) {
        (true, _) => path.file_name(),
        (false, true) => path.parent().and_then(Path::file_name),
        (false, false) => path.file_stem(),
    };
    name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}
