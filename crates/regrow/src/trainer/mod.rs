//! Trainers other than our own. They are driven from here, and checked before they are believed.
//!
//! The one there is today is PyTorch: the package `python/regrow_torch`, started by `torchrun`. It
//! gets one file, `JobFile`, and writes into the run folder what our own trainer writes there.
//! This room starts it, hears its progress from the curve, and passes requests to stop on.

mod belief;
mod command;
mod job_file;
mod options;
mod process;
mod python;
mod template;

pub(crate) use self::belief::Belief;
pub(crate) use self::command::TorchCommand;
pub(crate) use self::job_file::{JobFile, TeacherFile, known_belief};
pub use self::options::{TorchOptions, TorchPrint};
pub(crate) use self::process::{Driven, drive};
pub(crate) use self::python::Python;
pub(crate) use self::template::{TemplateInput, nemo_automodel, skypilot};
