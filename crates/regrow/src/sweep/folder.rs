//! The folder of a sweep: its layout, and its lock.

use std::path::{Path, PathBuf};

use disk::Lock;

use super::recipe::{SweepKeys, SweepRecipe};
use crate::error::{Error, ErrorKind, Result};

/// The layout of a sweep's folder.
#[derive(Clone, Debug)]
pub(super) struct SweepFolder {
    path: PathBuf,
}

impl SweepFolder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// A file or folder directly in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The generated text.
    pub(super) fn grammar(&self) -> PathBuf {
        self.path.join("text")
    }

    /// The text that is tokenised for the sweep.
    pub(super) fn corpus(&self) -> PathBuf {
        self.path.join("corpus")
    }

    /// The text of the sweep: its own, or a folder that the recipe names.
    pub(super) fn corpus_of(&self, sweep: &SweepKeys) -> PathBuf {
        sweep.corpus.folder.clone().unwrap_or_else(|| self.corpus())
    }

    /// The text that models heal on, where it is another.
    pub(super) fn heal_corpus(&self) -> PathBuf {
        self.path.join("heal-corpus")
    }

    /// The text that models heal on.
    pub(super) fn heal_corpus_of(&self, sweep: &SweepKeys) -> PathBuf {
        match (&sweep.corpus.heal_folder, sweep.corpus.heal_inputs.is_empty()) {
            (Some(folder), _) => folder.clone(),
            (None, false) => self.heal_corpus(),
            (None, true) => self.corpus_of(sweep),
        }
    }

    /// What the folder itself is called.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The run whose final model is pruned.
    pub(super) fn base(&self, id: &str) -> PathBuf {
        self.path.join("bases").join(id)
    }

    /// The first run of a base, where a second run (`settle`) follows before pruning.
    pub(super) fn scratch(&self, id: &str) -> PathBuf {
        self.path.join("scratch").join(id)
    }

    /// A pruned model.
    pub(super) fn model(&self, id: &str) -> PathBuf {
        self.path.join("models").join(id)
    }

    /// The loss of a base that was there before the sweep.
    pub(super) fn loss(&self, id: &str) -> PathBuf {
        self.path.join("losses").join(id)
    }

    /// What a base says of the text that its pruned models heal on.
    pub(super) fn cache(&self, id: &str) -> PathBuf {
        self.path.join("caches").join(id)
    }

    /// The run of a pruned model, or of a control.
    pub(super) fn run(&self, id: &str) -> PathBuf {
        self.path.join("runs").join(id)
    }

    /// Locks the folder, which must be new or a sweep's. Returns the recipe that it was begun with,
    /// if that is another one.
    ///
    /// # Errors
    /// Where it contains something else, another process uses it, or it cannot be written.
    pub(super) fn take(&self, recipe: &SweepRecipe) -> Result<(Lock, Option<SweepRecipe>)> {
        let file = self.join("recipe.toml");
        let begun = file.is_file();
        // A sweep makes its lock and then `recipe.toml` before anything else. A folder of the user
        // may well hold a recipe among other things, but no lock.
        if !(begun && self.join(".lock").is_file()) && self.holds_more_than_a_recipe() {
            let error = disk::Error::exists(&self.path);
            return Err(Error::passed_as(ErrorKind::NotASweepFolder, error));
        }
        std::fs::create_dir_all(&self.path).map_err(disk::io_error("create", &self.path))?;
        let lock = Lock::acquire(&self.join(".lock"))?;
        if !begun {
            self.keep(recipe)?;
            return Ok((lock, None));
        }
        let earlier = SweepRecipe::read(&file)?;
        let changed = !earlier.says_the_same(recipe);
        Ok((lock, changed.then_some(earlier)))
    }

    /// Keeps the recipe in the folder.
    pub(super) fn keep(&self, recipe: &SweepRecipe) -> Result<()> {
        Ok(disk::write(&self.join("recipe.toml"), recipe.text().as_bytes())?)
    }

    /// Whether it contains anything else. A lock file does not count, nor does an unfinished file
    /// of ours: a sweep may have been killed right after creating it.
    fn holds_more_than_a_recipe(&self) -> bool {
        let other = |entry: std::fs::DirEntry| {
            let name = entry.file_name();
            name != ".lock" && name != "recipe.toml" && !disk::is_hidden(&name)
        };
        std::fs::read_dir(&self.path)
            .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(other)))
    }
}
