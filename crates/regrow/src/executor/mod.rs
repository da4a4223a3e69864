//! Executors, which run jobs. They know programs, arguments, folders and resources, but nothing
//! about models.

mod command_line;
mod contract;
mod dry_run;
mod job;
mod local;
mod local_job;
mod orphan;
mod process;
mod slurm;

pub use contract::Executor;
pub use dry_run::DryRun;
pub use job::{Job, JobId, JobState, RESUMABLE, Resources};
pub use local::LocalExecutor;
pub use slurm::{Ending, SlurmExecutor, SlurmSettings, has_records};
