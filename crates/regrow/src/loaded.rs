//! A model in memory, ready to compute.

use std::path::Path;

use model::backend::cpu::Cpu;
use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::workspace::Workspace;

use crate::hub;
use crate::output::Output;

/// Longest context that is taken without being asked for, in tokens.
pub(crate) const LONGEST_DEFAULT: usize = 2048;

/// A model folder with its weights and the network.
pub(crate) struct Loaded {
    pub(crate) folder: ModelFolder,
    pub(crate) decoder: Decoder<Cpu<f32>>,
    pub(crate) weights: Vec<f32>,
    pub(crate) space: Workspace<Cpu<f32>>,
}

impl Loaded {
    /// Loads an opened folder for sequences of up to `longest` tokens.
    pub(crate) fn new(folder: ModelFolder, longest: usize) -> model::Result<Self> {
        let decoder = Decoder::new(Cpu::new(), folder.config(), longest)?;
        let weights = model::weights::load(&folder, decoder.backend())?;
        let space = Workspace::new(&decoder)?;
        Ok(Self { folder, decoder, weights, space })
    }
}

/// Opens a model by its folder or its id on the hub; what is odd about it is said.
pub(crate) fn open(path: &Path, output: &Output) -> anyhow::Result<ModelFolder> {
    let folder = ModelFolder::open(&hub::folder(path, output)?)?;
    for problem in folder.problems() {
        output.warn(problem);
    }
    Ok(folder)
}

/// The context that a model is read with where none is asked for.
pub(crate) fn default_context(config: &model::config::ModelConfig) -> usize {
    config.max_position_embeddings.min(LONGEST_DEFAULT)
}
