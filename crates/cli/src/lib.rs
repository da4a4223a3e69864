//! The command `regrow`: arguments, terminal output, and one file per subcommand. The work is done
//! by the library [`regrow`].

#![forbid(unsafe_code)]

mod cli;
pub mod commands;
mod flags;
mod show;
mod terminal;

pub use cli::{Cli, Command};
pub use flags::globals::{Color, Globals};
pub use terminal::{Exit, Output};
