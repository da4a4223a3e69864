//! What runs the jobs of a sweep, and what they may take.

use std::time::Duration;

use serde::Deserialize;

use crate::executor::{Resources, SlurmSettings};
use ledger::count::Count;

/// What runs the jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutorName {
    /// Processes on this machine.
    #[default]
    Local,
    /// A Slurm cluster.
    Slurm,
}

impl std::str::FromStr for ExecutorName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "local" => Ok(Self::Local),
            "slurm" => Ok(Self::Slurm),
            other => Err(format!("`{other}`, expected `local` or `slurm`")),
        }
    }
}

/// The section `executor`: which one, resources by kind of job, and the settings of Slurm.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct ExecutorKeys {
    name: ExecutorName,
    every: ResourceKeys,
    corpus: ResourceKeys,
    base: ResourceKeys,
    cut: ResourceKeys,
    heal: ResourceKeys,
    slurm: SlurmSettings,
}

/// What kind of job resources are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    Corpus,
    Base,
    Cut,
    Heal,
}

/// What a job may take, as the user wrote it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceKeys {
    threads: Option<usize>,
    memory: Option<Count>,
    time: Option<String>,
    gpus: Option<usize>,
}

impl TryFrom<toml::Table> for ExecutorKeys {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        fn read<T: Default + serde::de::DeserializeOwned>(
            value: Option<toml::Value>,
        ) -> Result<T, String> {
            let read = value.map(toml::Value::try_into).transpose();
            Ok(read
                .map_err(|error: toml::de::Error| error.message().to_owned())?
                .unwrap_or_default())
        }
        let mut take = |key: &str| table.remove(key);
        let name = read(take("name"))?;
        let kinds = [take("corpus"), take("base"), take("cut"), take("heal")];
        let [corpus, base, cut, heal] = kinds.map(read::<ResourceKeys>);
        let mut every = toml::Table::new();
        for key in ["threads", "memory", "time", "gpus"] {
            every.extend(take(key).map(|value| (key.to_owned(), value)));
        }
        let keys = Self {
            name,
            every: read(Some(toml::Value::Table(every)))?,
            corpus: corpus?,
            base: base?,
            cut: cut?,
            heal: heal?,
            slurm: read(Some(toml::Value::Table(table)))?,
        };
        for keys in [&keys.every, &keys.corpus, &keys.base, &keys.cut, &keys.heal] {
            keys.check()?;
        }
        if keys.name == ExecutorName::Slurm {
            for kind in [JobKind::Corpus, JobKind::Base, JobKind::Cut, JobKind::Heal] {
                let time = keys.resources(kind).time;
                keys.slurm.leaves_time(time).map_err(|error| error.to_string())?;
            }
        }
        keys.slurm.problem().map_or(Ok(keys), Err)
    }
}

impl ResourceKeys {
    fn check(&self) -> Result<(), String> {
        if self.threads == Some(0) || self.threads.is_some_and(|threads| threads > 4096) {
            return Err("`threads` of `executor` is out of range, expected 1 to 4096".into());
        }
        self.time.as_deref().map(crate::span::parse).transpose().map(|_| ())
    }

    fn time(&self) -> Option<Duration> {
        self.time.as_deref().and_then(|time| crate::span::parse(time).ok())
    }
}

impl ExecutorKeys {
    pub(crate) fn name(&self) -> ExecutorName {
        self.name
    }

    pub(crate) fn slurm(&self) -> &SlurmSettings {
        &self.slurm
    }

    /// What a job of a kind may take.
    pub(crate) fn resources(&self, kind: JobKind) -> Resources {
        let own = match kind {
            JobKind::Corpus => &self.corpus,
            JobKind::Base => &self.base,
            JobKind::Cut => &self.cut,
            JobKind::Heal => &self.heal,
        };
        Resources {
            threads: own.threads.or(self.every.threads).unwrap_or(1),
            memory: own.memory.or(self.every.memory).map(|bytes| bytes.0),
            time: own.time().or_else(|| self.every.time()),
            gpus: own.gpus.or(self.every.gpus).unwrap_or(0),
        }
    }
}
