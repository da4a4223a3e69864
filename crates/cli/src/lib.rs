//! The command `regrow`: arguments, a terminal, and one file a subcommand over the library
//! [`regrow`].

#![forbid(unsafe_code)]

mod cli;
pub mod commands;
mod flags;
mod show;
mod terminal;

pub use cli::{Cli, Command};
pub use flags::globals::{Color, Globals};
pub use terminal::{Exit, Output};
