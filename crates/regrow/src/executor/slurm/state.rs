//! What Slurm says about tasks, in the fixed formats that we ask for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A task of an array: the number of the array, and its index.
pub(super) type Task = (u64, usize);

/// The state of a task, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// In the queue; why it waits.
    Waiting(String),
    Running,
    /// It ended with status 0.
    Completed,
    Ended(Ending),
}

/// How a task ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its program failed.
    Failed,
    /// It reached its time limit.
    Timeout,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// Its node failed.
    NodeFail,
    /// Another job took its place.
    Preempted,
    /// Somebody cancelled it.
    Cancelled,
    /// It was killed from outside, or Slurm no longer knows it.
    Lost,
}

impl Ending {
    /// It in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Failed => "it failed",
            Self::Timeout => "it reached its time limit",
            Self::OutOfMemory => "it needed more memory than it may have",
            Self::NodeFail => "its node failed",
            Self::Preempted => "it was preempted",
            Self::Cancelled => "it was cancelled",
            Self::Lost => {
                "it was killed from outside or Slurm no longer knows it, and its result is not there"
            }
        }
    }
}

/// Slurm's word for a state. Words that are new to us count as waiting: a task is never given up
/// because of a word.
pub(super) fn state(word: &str, reason: &str) -> TaskState {
    // `CANCELLED by 1000`, and `OUT_OF_ME+` where a column is narrow.
    let word = word.split_whitespace().next().unwrap_or_default();
    let is = |name: &str| match word.strip_suffix('+') {
        Some(start) => start.len() > 3 && name.starts_with(start),
        None => word == name,
    };
    let any = |names: &[&str]| names.iter().any(|name| is(name));
    if any(&["COMPLETED"]) {
        return TaskState::Completed;
    }
    let endings = [
        (&["FAILED"][..], Ending::Failed),
        (&["TIMEOUT", "DEADLINE"], Ending::Timeout),
        (&["OUT_OF_MEMORY"], Ending::OutOfMemory),
        (&["NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED"], Ending::NodeFail),
        (&["PREEMPTED", "REVOKED"], Ending::Preempted),
        (&["CANCELLED"], Ending::Cancelled),
    ];
    if let Some((_, ending)) = endings.into_iter().find(|(names, _)| any(names)) {
        return TaskState::Ended(ending);
    }
    if any(&["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"])
    {
        return TaskState::Running;
    }
    TaskState::Waiting(if reason.is_empty() || reason == "None" {
        word.to_lowercase()
    } else {
        reason.to_owned()
    })
}

/// Reads `squeue -h -r -t all -o '%F|%K|%T|%r'`.
pub(super) fn read_squeue(text: &str) -> BTreeMap<Task, TaskState> {
    let line = |line: &str| {
        let mut cells = line.trim().splitn(4, '|');
        let mut cell = || cells.next();
        let (array, index, word, reason) = (cell()?, cell()?, cell()?, cell().unwrap_or_default());
        Some(((array.parse().ok()?, index.parse().ok()?), state(word, reason)))
    };
    text.lines().filter_map(line).collect()
}

/// Reads `sacct -P -n -X -o JobID,State`. Steps of jobs and arrays that were not yet split are
/// passed over.
pub(super) fn read_sacct(text: &str) -> BTreeMap<Task, TaskState> {
    let line = |line: &str| {
        let mut cells = line.trim().split('|');
        let (id, word) = (cells.next()?, cells.next()?);
        let (array, index) = id.split_once('_')?;
        Some(((array.parse().ok()?, index.parse().ok()?), state(word, "")))
    };
    text.lines().filter_map(line).collect()
}

/// Reads `scontrol -o show job`: one job a line, of words `Key=value`.
pub(super) fn read_scontrol(text: &str) -> BTreeMap<Task, TaskState> {
    let line = |line: &str| {
        let value = |key: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        };
        let task = (value("ArrayJobId")?.parse().ok()?, value("ArrayTaskId")?.parse().ok()?);
        Some((task, state(value("JobState")?, value("Reason").unwrap_or_default())))
    };
    text.lines().filter_map(line).collect()
}

/// The array's number in what `sbatch --parsable` prints: `17`, or `17;cluster`.
pub(super) fn read_sbatch(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.trim().split(';').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(reason: &str) -> TaskState {
        TaskState::Waiting(reason.into())
    }

    #[test]
    fn what_slurm_22_05_says_is_read() {
        // Seen on Debian 12.
        let text = "4|0|COMPLETED|None\n4|1|FAILED|NonZeroExitCode\n4|2|RUNNING|None\n\
                    5|0|PENDING|Dependency\n5|1|PENDING|Nodes required for job are DOWN, DRAINED or reserved\n\
                    6|0|CANCELLED|None\n6|N/A|RUNNING|None\n\n";
        let found = read_squeue(text);
        assert_eq!(found.len(), 6, "{found:?}");
        assert_eq!(found[&(4, 0)], TaskState::Completed);
        assert_eq!(found[&(4, 1)], TaskState::Ended(Ending::Failed));
        assert_eq!(found[&(4, 2)], TaskState::Running);
        assert_eq!(found[&(5, 0)], waiting("Dependency"));
        assert_eq!(found[&(6, 0)], TaskState::Ended(Ending::Cancelled));
        let line = "JobId=12 ArrayJobId=11 ArrayTaskId=3 JobName=x UserId=root(0) JobState=NODE_FAIL Reason=NodeDown Dependency=(null)\n";
        assert_eq!(read_scontrol(line)[&(11, 3)], TaskState::Ended(Ending::NodeFail));
        assert_eq!(read_sbatch("17\n"), Some(17));
    }

    // The lines below follow the manuals of these versions; they were not seen on a machine.

    #[test]
    fn what_the_manual_of_slurm_21_08_shows_is_read() {
        let text = "1234_0|COMPLETED\n1234_1|CANCELLED by 1000\n1234_2|OUT_OF_MEMORY\n1234_[3-9]|PENDING\n1234_0.batch|COMPLETED\n";
        let found = read_sacct(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[&(1234, 0)], TaskState::Completed);
        assert_eq!(found[&(1234, 1)], TaskState::Ended(Ending::Cancelled));
        assert_eq!(found[&(1234, 2)], TaskState::Ended(Ending::OutOfMemory));
        assert_eq!(read_sbatch("1234;green\n"), Some(1234));
    }

    #[test]
    fn what_the_manual_of_slurm_23_11_shows_is_read() {
        let found = read_squeue(
            "77|2|REQUEUE_HOLD|JobHoldMaxRequeue\n77|3|SPECIAL_EXIT|None\n77|4|STAGE_OUT|None\n",
        );
        assert_eq!(found[&(77, 2)], waiting("JobHoldMaxRequeue"));
        assert_eq!(found[&(77, 3)], waiting("special_exit"));
        assert_eq!(found[&(77, 4)], TaskState::Running);
        assert_eq!(read_sacct("77_5|TIMEOUT|0:0\n")[&(77, 5)], TaskState::Ended(Ending::Timeout));
    }

    #[test]
    fn what_the_manual_of_slurm_25_11_shows_is_read() {
        let found = read_sacct("9_0|PREEMPTED\n9_1|OUT_OF_ME+\n9_2|LAUNCH_FAILED\n9_3|DEADLINE\n");
        let ending = |index| found[&(9, index)].clone();
        assert_eq!(ending(0), TaskState::Ended(Ending::Preempted));
        assert_eq!(ending(1), TaskState::Ended(Ending::OutOfMemory));
        assert_eq!(ending(2), TaskState::Ended(Ending::NodeFail));
        assert_eq!(ending(3), TaskState::Ended(Ending::Timeout));
        // A word of the future gives nobody up.
        assert_eq!(read_squeue("9|4|SOMETHING_NEW|None")[&(9, 4)], waiting("something_new"));
    }

    #[test]
    fn lines_of_anything_are_passed_over() {
        for text in [
            "",
            "|||",
            "slurm_load_jobs error: x",
            "a|b|c|d",
            "1|99999999999999999999|RUNNING|",
            "\0",
        ] {
            assert!(read_squeue(text).is_empty(), "{text}");
            assert!(read_sacct(text).is_empty() && read_scontrol(text).is_empty(), "{text}");
        }
    }
}
