//! A model in memory, ready to compute.

use std::path::Path;

use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::workspace::Workspace;

use crate::error::Result;
use crate::hub;
use crate::machine::{HostMachine, HostWeights, machine};
use crate::observer::{Event, Observer};

/// Longest context that is taken without being asked for, in tokens.
const LONGEST_DEFAULT: usize = 2048;

/// A model folder with its weights and the network.
pub(crate) struct Loaded {
    folder: ModelFolder,
    decoder: Decoder<HostMachine>,
    weights: HostWeights,
}

impl Loaded {
    /// Loads an opened folder for sequences of up to `longest` tokens.
    pub(crate) fn new(folder: ModelFolder, longest: usize) -> model::Result<Self> {
        let decoder = Decoder::new(machine(), folder.config(), longest)?;
        let weights = model::weights::load(&folder, decoder.backend())?;
        Ok(Self { folder, decoder, weights })
    }

    pub(crate) fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    pub(crate) fn decoder(&self) -> &Decoder<HostMachine> {
        &self.decoder
    }

    pub(crate) fn weights(&self) -> &HostWeights {
        &self.weights
    }

    /// Room for one pass.
    pub(crate) fn workspace(&self) -> model::Result<Workspace<HostMachine>> {
        self.decoder.workspace()
    }
}

/// Opens a model by its folder or its id on the hub; what is odd about it is said.
///
/// # Errors
/// Where it is no model, or the hub does not give it.
pub fn open(path: &Path, observer: &mut dyn Observer) -> Result<ModelFolder> {
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
