//! How PyTorch is started.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that names the Python interpreter.
const VARIABLE: &str = "REGROW_PYTHON";

/// How PyTorch is started. None of this changes what a run is, only its speed and its last bits.
#[derive(Clone, Debug)]
pub struct TorchOptions {
    python: Option<PathBuf>,
    processes: usize,
    compile: bool,
    print: Option<TorchPrint>,
}

/// What is printed for people who start the training themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TorchPrint {
    /// The command.
    #[default]
    Command,
    /// A task for SkyPilot, which finds a machine and runs the torch job on it.
    Skypilot,
    /// A configuration for NVIDIA's NeMo AutoModel, which trains in the place of the torch job.
    NemoAutomodel,
}

impl TorchPrint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Command, Self::Skypilot, Self::NemoAutomodel];

    /// The name in flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Skypilot => "skypilot",
            Self::NemoAutomodel => "nemo-automodel",
        }
    }
}

impl Default for TorchOptions {
    fn default() -> Self {
        Self { python: None, processes: 1, compile: false, print: None }
    }
}

impl TorchOptions {
    /// One process, with the interpreter that `REGROW_PYTHON` names, or else `python3`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the Python interpreter that has `regrow_torch`.
    #[must_use]
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Sets the number of processes, one a GPU where there are any. At least one is started.
    #[must_use]
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// Has `torch.compile` compile the blocks.
    #[must_use]
    pub fn compile(mut self, compile: bool) -> Self {
        self.compile = compile;
        self
    }

    /// Only makes the run folder and the job file, and tells of a command or a template. Who has a
    /// launcher of their own starts the training.
    #[must_use]
    pub fn print(mut self, form: TorchPrint) -> Self {
        self.print = Some(form);
        self
    }

    pub(crate) fn is_compiled(&self) -> bool {
        self.compile
    }

    pub(crate) fn printed(&self) -> Option<TorchPrint> {
        self.print
    }

    pub(crate) fn process_count(&self) -> usize {
        self.processes
    }

    /// The interpreter: the one asked for, that of the variable, or `python3`.
    pub(super) fn interpreter(&self) -> OsString {
        let named = self.python.as_ref().map(|path| path.clone().into_os_string());
        let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        named.or_else(variable).unwrap_or_else(|| OsString::from("python3"))
    }
}
