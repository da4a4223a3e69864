//! A model in memory, ready to compute.

use std::path::Path;

use model::backend::cpu::Cpu;
use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::workspace::Workspace;

use crate::hub;
use crate::observer::{Event, Observer};

/// Longest context that is taken without being asked for, in tokens.
pub const LONGEST_DEFAULT: usize = 2048;

/// A model folder with its weights and the network.
pub struct Loaded {
    pub folder: ModelFolder,
    pub decoder: Decoder<Cpu<f32>>,
    pub weights: Vec<f32>,
    pub space: Workspace<Cpu<f32>>,
}

impl Loaded {
    /// Loads an opened folder for sequences of up to `longest` tokens.
    pub fn new(folder: ModelFolder, longest: usize) -> model::Result<Self> {
        let decoder = Decoder::new(Cpu::new(), folder.config(), longest)?;
        let weights = model::weights::load(&folder, decoder.backend())?;
        let space = decoder.workspace()?;
        Ok(Self { folder, decoder, weights, space })
    }
}

/// Opens a model by its folder or its id on the hub; what is odd about it is said.
pub fn open(path: &Path, observer: &mut dyn Observer) -> anyhow::Result<ModelFolder> {
    let folder = ModelFolder::open(&hub::folder(path, observer)?)?;
    for problem in folder.problems() {
        observer.hear(&Event::Warning(problem));
    }
    Ok(folder)
}

/// The context that a model is read with where none is asked for.
pub fn default_context(config: &shape::config::ModelConfig) -> usize {
    config.max_position_embeddings().min(LONGEST_DEFAULT)
}
