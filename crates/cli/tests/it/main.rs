//! The command, run as a user runs it.

#![allow(clippy::unwrap_used)]

mod design;
mod ending;
mod errors;
mod fit;
mod forecast;
mod guide;
mod help;
#[cfg(feature = "hub")]
mod hostile_hub;
#[cfg(feature = "hub")]
mod hub;
mod import;
mod inspect;
mod law;
mod never_deleted;
mod never_lost;
mod pipeline;
mod planner;
mod proof;
mod prune_input;
mod publish;
mod random_tables;
mod real;
mod recipes;
mod resources;
#[cfg(target_os = "linux")]
mod slurm;
mod sweep;
#[cfg(unix)]
mod sweep_bad_input;
mod sweep_models;
mod sweep_objectives;
mod tidy;
mod tokenize_input;
#[cfg(unix)]
mod torch;
mod workshop;
