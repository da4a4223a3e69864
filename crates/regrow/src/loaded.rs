//! A model in memory.

use std::path::Path;

use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::workspace::Workspace;

use crate::error::Result;
use crate::hub;
use crate::machine::{HostMachine, HostWeights, machine};
use crate::observer::{Event, Observer};

/// The longest default context, in tokens. Models with far more positions would need too much
/// memory by default.
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

    /// The folder alone; the weights are let go.
    pub(crate) fn into_folder(self) -> ModelFolder {
        self.folder
    }

    pub(crate) fn decoder(&self) -> &Decoder<HostMachine> {
        &self.decoder
    }

    pub(crate) fn weights(&self) -> &HostWeights {
        &self.weights
    }

    /// Memory for one forward pass.
    pub(crate) fn workspace(&self) -> model::Result<Workspace<HostMachine>> {
        self.decoder.workspace()
    }
}

/// Opens a model by its folder or hub id. Problems with the folder become warnings.
///
/// # Errors
/// Where it is not a model, or cannot be downloaded.
pub fn open(path: &Path, observer: &mut dyn Observer) -> Result<ModelFolder> {
    let folder = ModelFolder::open(&hub::folder(path, observer)?)?;
    for problem in folder.problems() {
        observer.hear(&Event::Warning(problem));
    }
    Ok(folder)
}

/// The context to use where none is requested.
pub fn default_context(config: &shape::config::ModelConfig) -> usize {
    config.max_position_embeddings().min(LONGEST_DEFAULT)
}
