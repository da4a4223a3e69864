//! Describes a model, and checks that its folder is consistent.

mod consistency;

use std::path::{Path, PathBuf};

use model::folder::ModelFolder;
use model::verify::{Verified, verify};
use shape::catalog;
use shape::config::ModelConfig;

use crate::error::{Result, bail};
use crate::hub;
use crate::observer::{Observer, ShownStage};
use crate::public::public_model;

/// How thoroughly a model is checked.
#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    verify: bool,
    base: Option<PathBuf>,
}

impl InspectOptions {
    /// Reads only the files beside the weights.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also reads every weight.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Compares the cut's record with the model that this one was pruned from.
    #[must_use]
    pub fn base(mut self, model: impl AsRef<Path>) -> Self {
        self.base = Some(model.as_ref().to_path_buf());
        self
    }
}

/// A model and the problems found in it.
#[derive(Debug)]
pub struct Inspected {
    name: String,
    config: ModelConfig,
    folder: Option<ModelFolder>,
    verified: Option<Verified>,
    problems: Vec<String>,
}

impl Inspected {
    fn configured(name: String, config: ModelConfig) -> Self {
        Self { name, config, folder: None, verified: None, problems: Vec::new() }
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its folder; `None` where there is only a configuration.
    pub fn folder(&self) -> Option<&ModelFolder> {
        self.folder.as_ref()
    }

    /// The result of reading every weight, if requested.
    pub fn verified(&self) -> Option<&Verified> {
        self.verified.as_ref()
    }

    /// The problems, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// Looks at a model: a folder, a `config.json`, the name of a public model, or an id on the hub.
///
/// # Errors
/// Where the model does not exist or cannot be read.
pub fn inspect(
    model: impl AsRef<Path>,
    options: &InspectOptions,
    observer: &mut dyn Observer,
) -> Result<Inspected> {
    let model = model.as_ref();
    // The shape of a public model is in the catalog, so nothing is downloaded unless its weights
    // must be read.
    let known = model.to_str().and_then(catalog::find).is_some();
    let path =
        if known && !options.verify { model.to_path_buf() } else { hub::folder(model, observer)? };
    let mut found = find(&path)?;
    if !options.verify {
        return Ok(found);
    }
    let Some(folder) = &found.folder else {
        bail!("`{}` has no weights to verify", model.display());
    };
    let mut stage: Option<ShownStage<'_>> = None;
    // The number of tensors is known only in the first call, so the stage begins there.
    let mut observer = Some(observer);
    let verified = verify(folder, &mut |done, of| {
        if let Some(observer) = observer.take() {
            stage = Some(ShownStage::begin(observer, "reading", of as u64, "tensors"));
        }
        if let Some(stage) = &mut stage {
            stage.at(done as u64);
        }
    })?;
    drop(stage);
    found.problems.extend(verified.problems().iter().cloned());
    found.problems.extend(consistency::of_weights(&path, &verified, options.base.as_deref())?);
    found.verified = Some(verified);
    Ok(found)
}

/// Finds a folder, a configuration alone, or a public model by name. No weight is read.
pub(crate) fn find(path: &Path) -> Result<Inspected> {
    if !path.exists() {
        let public = public_model(&path.display().to_string())?;
        return Ok(Inspected::configured(public.name().to_owned(), public.config()));
    }
    if path.is_dir() {
        match ModelFolder::open(path) {
            Ok(folder) => {
                let mut problems = folder.problems().to_vec();
                problems.extend(consistency::of_files(&folder));
                let (name, config) = (folder.name(), folder.config().clone());
                let folder = Some(folder);
                return Ok(Inspected { name, config, folder, verified: None, problems });
            }
            // A configuration alone is enough to count parameters.
            Err(error) if error.is_no_weights() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Inspected::configured(name_of(path), ModelFolder::config_of(path)?))
}

/// The name of a folder, or of the folder that a `config.json` lies in.
fn name_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let name = folder.and_then(Path::file_name);
    name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}
