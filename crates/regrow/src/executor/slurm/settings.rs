//! How jobs are submitted to Slurm: the section `executor` of a sweep's recipe.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::state::Ending;
use crate::error::{Result, bail};

/// The most tasks of an array where the recipe says nothing; Slurm itself allows 1001 by default.
const ARRAY: usize = 1000;

/// How jobs are submitted to Slurm. Whatever is missing is left to the cluster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmSettings {
    /// Tasks of an array that may run at a time: `%K` of `--array`.
    pub(super) at_once: Option<usize>,
    /// The most tasks of one array.
    pub(super) array_size: usize,
    pub(super) partition: Option<String>,
    pub(super) account: Option<String>,
    pub(super) qos: Option<String>,
    /// Further arguments of `sbatch`, as they are.
    pub(super) directives: Vec<String>,
    /// Lines of shell before every job, for example `module load cuda`.
    pub(super) setup: Vec<String>,
    /// Seconds before the time limit at which a job is asked to save.
    pub(super) save_before: u64,
    /// How often a job that saved may be put back into the queue.
    pub(super) requeues: u32,
    /// Which endings are tried again ...
    pub(super) retry: Vec<Ending>,
    /// ... and how often.
    pub(super) retries: usize,
    /// Seconds that a file of another machine may take to be seen.
    pub(super) file_patience: u64,
    /// Seconds between two questions about states.
    pub(super) poll: f64,
    /// The folder of Slurm's commands, where they are not in the search path.
    pub(super) commands: Option<PathBuf>,
}

impl Default for SlurmSettings {
    fn default() -> Self {
        Self {
            at_once: None,
            array_size: ARRAY,
            partition: None,
            account: None,
            qos: None,
            directives: Vec::new(),
            setup: Vec::new(),
            save_before: 300,
            requeues: 100,
            retry: vec![Ending::NodeFail, Ending::Preempted, Ending::Timeout, Ending::Lost],
            retries: 3,
            file_patience: 60,
            poll: 10.0,
            commands: None,
        }
    }
}

impl SlurmSettings {
    /// What is wrong with them, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.array_size == 0 || self.at_once == Some(0) {
            return Some("`array_size` and `at_once` of `executor` are at least 1".into());
        }
        if !(self.poll >= 0.1 && self.poll <= 3600.0) {
            return Some(format!("`poll` of `executor` is {}, expected 0.1 to 3600 s", self.poll));
        }
        // An empty or hidden word would be taken for the script, or end the options.
        let odd = self.directives.iter().find(|word| !word.starts_with("--") || word.len() < 3);
        odd.map(|word| format!("`directives` holds `{word}`, expected a long option of `sbatch`"))
    }

    /// Refuses a time limit that is over before jobs are asked to save.
    pub(crate) fn leaves_time(&self, limit: Option<Duration>) -> Result<()> {
        match limit {
            Some(limit) if limit <= Duration::from_secs(self.save_before) => bail!(
                "`time` of `executor` is {} s, expected more than the {} s of `save_before`: jobs would be asked to save \
                 before they begin",
                limit.as_secs(),
                self.save_before
            ),
            _ => Ok(()),
        }
    }

    /// One of Slurm's commands.
    pub(super) fn command(&self, name: &str) -> PathBuf {
        self.commands.as_ref().map_or_else(|| name.into(), |folder| folder.join(name))
    }

    pub(super) fn pace(&self) -> Duration {
        Duration::from_secs_f64(self.poll)
    }
}
