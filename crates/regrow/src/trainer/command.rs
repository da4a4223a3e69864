//! The command line of the torch job.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::Command;

use super::options::TorchOptions;
use crate::shell::quoted;

/// The command that trains: `torchrun`, under the name that every interpreter knows it by.
#[derive(Clone, Debug)]
pub(crate) struct TorchCommand {
    program: OsString,
    arguments: Vec<OsString>,
    processes: usize,
}

impl TorchCommand {
    /// The command for a job file.
    pub(crate) fn new(options: &TorchOptions, job: &Path) -> Self {
        let processes = options.process_count();
        let count = processes.to_string();
        // `--standalone` finds a free port, so that two runs of one machine do not meet.
        let words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", &count];
        let words = words.into_iter().chain(["-m", "regrow_torch"]).map(OsString::from);
        let arguments = words.chain([job.as_os_str().to_owned()]).collect();
        Self { program: options.interpreter(), arguments, processes }
    }

    /// The process to start. Threads of this program are divided among the processes, unless the
    /// user says otherwise.
    pub(super) fn process(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            let threads = (rayon::current_num_threads() / self.processes).max(1);
            command.env("OMP_NUM_THREADS", threads.to_string());
        }
        command
    }

    pub(super) fn program(&self) -> &OsStr {
        &self.program
    }
}

/// As a person would type it.
impl fmt::Display for TorchCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.program))?;
        self.arguments.iter().try_for_each(|word| write!(f, " {}", quoted(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_torchrun_and_means_the_same_to_a_shell() {
        let options = TorchOptions::new().python("/opt/my env/python").processes(0);
        let command = TorchCommand::new(&options, Path::new("runs/it's/torch.json"));
        let expected = r"'/opt/my env/python' -m torch.distributed.run --standalone --nproc-per-node 1 -m regrow_torch 'runs/it'\''s/torch.json'";
        assert_eq!(command.to_string(), expected);
        let several = TorchCommand::new(&options.processes(8), Path::new("torch.json"));
        assert!(several.to_string().contains("--nproc-per-node 8 -m regrow_torch torch.json"));
    }
}
