//! A sweep's recipe, as the user wrote it. `recipes/quickstart.toml` explains every key.

mod case;
mod check;
mod executor;
mod keys;
mod nearest;
mod objectives;
mod training;

use std::path::Path;

pub(super) use self::case::{CasePlace, MEASURING};
use self::check::check;
pub use self::executor::ExecutorName;
pub(super) use self::executor::{ExecutorKeys, JobKind};
pub(super) use self::keys::{
    Controls, MethodKeys, ModelKeys, SeriesKeys, SweepKeys, TeachKeys, place_of,
};
use self::nearest::with_nearest;
use self::objectives::check_objectives;
pub(super) use self::training::{Overrides, TrainingKeys};
use crate::error::{Context, Result, bail};
use crate::executor::SlurmSettings;

/// The format of a sweep's recipe.
const FORMAT: i64 = 1;

/// The largest recipe file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// A recipe that has been checked, and its text.
#[derive(Clone, Debug)]
pub struct SweepRecipe {
    keys: SweepKeys,
    text: String,
}

impl SweepRecipe {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not TOML, its `format` is not 1, a key is unknown or missing, or the keys
    /// contradict each other.
    pub fn read(path: &Path) -> Result<Self> {
        let text = disk::read_to_string(path, LIMIT)?;
        Self::parse(&text).with_context(|| format!("`{}` is not a sweep", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As for [`SweepRecipe::read`].
    pub fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = toml::from_str(text)?;
        // Checked first, because another format may have other keys.
        match table.get("format").map(|found| (found, found.as_integer())) {
            Some((_, Some(FORMAT))) => {}
            Some((found, _)) => bail!("`format` is {found}, expected {FORMAT}"),
            None => bail!("`format = {FORMAT}` is missing"),
        }
        let keys: SweepKeys = toml::from_str(text).map_err(with_nearest)?;
        check(&keys)?;
        check_objectives(&keys)?;
        Ok(Self { keys, text: text.to_owned() })
    }

    /// Its text, as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether both have the same keys and values. Comments and order do not matter.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.keys == other.keys
    }

    /// What runs its jobs, as it says itself.
    pub fn executor(&self) -> ExecutorName {
        self.keys.executor.name()
    }

    /// How its jobs are submitted to Slurm.
    pub fn slurm(&self) -> &SlurmSettings {
        self.keys.executor.slurm()
    }

    pub(crate) fn keys(&self) -> &SweepKeys {
        &self.keys
    }
}
