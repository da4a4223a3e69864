//! What is submitted: the options of `sbatch`, and the script of an array.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use super::array::PlannedArray;
use super::settings::SlurmSettings;
use crate::executor::job::{Job, RESUMABLE, Resources};
use crate::shell::quoted;

/// The exit status of a task whose dependency has no result.
pub(super) const SKIPPED: i32 = 76;

/// Where an array keeps its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// The logs of jobs, `NAME.log`, as other executors have them.
    pub(super) logs: &'a Path,
    /// How tasks ended: a file a job with its exit status.
    pub(super) ended: &'a Path,
}

/// The arguments of `sbatch`, up to the script, which it reads from its input.
///
/// `after` are the numbers of the arrays that must have ended. A task whose dependency failed ends
/// at once by itself: Slurm would keep all tasks of the array waiting for ever.
pub(super) fn options(
    array: &PlannedArray,
    name: &str,
    after: &[String],
    settings: &SlurmSettings,
    places: Places<'_>,
) -> Vec<OsString> {
    let Resources { threads, memory, time, gpus } = *array.jobs[0].resources();
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |word: String| words.push(word.into());
    add("--parsable".into());
    let most = settings.at_once.map_or_else(String::new, |most| format!("%{most}"));
    add(format!("--array=0-{}{most}", array.jobs.len() - 1));
    add(format!("--job-name={name}"));
    add(format!("--cpus-per-task={threads}"));
    if let Some(bytes) = memory {
        add(format!("--mem={}M", bytes.div_ceil(1 << 20)));
    }
    if let Some(time) = time {
        // In minutes, as every version reads it.
        add(format!("--time={}", time.as_secs().div_ceil(60)));
        // Only to the shell of the batch script, which asks the program to save.
        add(format!("--signal=B:USR1@{}", settings.save_before));
    }
    if gpus > 0 {
        add(format!("--gpus={gpus}"));
    }
    for (option, value) in
        [("partition", &settings.partition), ("account", &settings.account), ("qos", &settings.qos)]
    {
        if let Some(value) = value {
            add(format!("--{option}={value}"));
        }
    }
    add("--requeue".into());
    add("--open-mode=append".into());
    let slurm = places.logs.join("slurm-%A_%a.log");
    words.push({
        let mut word = OsString::from("--output=");
        word.push(slurm);
        word
    });
    if !after.is_empty() {
        words.push(format!("--dependency=afterany:{}", after.join(":")).into());
    }
    words.extend(settings.directives.iter().map(OsString::from));
    words
}

/// The script of an array. Its tasks' arguments are quoted, so that no shell reads into them.
pub(super) fn script(
    array: &PlannedArray,
    known: &dyn Fn(&str) -> Option<Job>,
    settings: &SlurmSettings,
    places: Places<'_>,
) -> String {
    let mut text = String::from("#!/bin/bash\n");
    for line in &settings.setup {
        text += line;
        text.push('\n');
    }
    // Lines of the user, such as `module load`, often read variables that are not set.
    text += "set -u\ntask=$SLURM_ARRAY_TASK_ID\ncase $task in\n";
    for (index, job) in array.jobs.iter().enumerate() {
        let file = |path: &Path| quoted(path.as_os_str());
        let needs: Vec<String> = job
            .after()
            .iter()
            .filter_map(|name| known(name))
            // What is done needs no waiting for.
            .filter(|needed| !needed.is_done())
            .flat_map(|needed| [file(needed.result()), file(&places.ended.join(needed.name()))])
            .collect();
        let env: Vec<String> = job
            .env()
            .iter()
            .map(|(name, value)| {
                let mut word = name.clone();
                word.push("=");
                word.push(value);
                quoted(&word)
            })
            .collect();
        let words = std::iter::once(job.program()).chain(job.argv()).map(|word| quoted(word));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{index})");
        let _ =
            writeln!(text, "    parent={}", file(job.folder().parent().unwrap_or(Path::new("."))));
        let _ = writeln!(text, "    result={}", file(job.result()));
        let _ =
            writeln!(text, "    log={}", file(&places.logs.join(format!("{}.log", job.name()))));
        let _ = writeln!(text, "    ended={}", file(&places.ended.join(job.name())));
        let _ = writeln!(text, "    needs=({})", needs.join(" "));
        let _ = writeln!(
            text,
            "    command=(env {})",
            env.into_iter().chain(words).collect::<Vec<_>>().join(" ")
        );
        text += "    ;;\n";
    }
    let _ = writeln!(text, "*) echo \"error: no task $task\" >&2; exit 1 ;;\nesac");
    let _ = writeln!(text, "patience={}\nrequeues={}", settings.file_patience, settings.requeues);
    let scontrol = quoted(settings.command("scontrol").as_os_str());
    text + &BODY
        .replace("RESUMABLE", &RESUMABLE.to_string())
        .replace("SKIPPED", &SKIPPED.to_string())
        .replace("SCONTROL", &scontrol)
}

/// What every task does.
const BODY: &str = r#"
# Notes how the task ended, whole or not at all.
end() {
    printf '%s %s_%s\n' "$1" "$SLURM_ARRAY_JOB_ID" "$task" >"$ended.$$" && mv -f -- "$ended.$$" "$ended"
    exit "$1"
}

mkdir -p -- "$parent"
# What this task needs was made on another machine, maybe, and its file may be seen late. Listing a
# folder asks the file server again.
for ((at = 0; at < ${#needs[@]}; at += 2)); do
    need=${needs[at]} other=${needs[at + 1]} waited=0
    until [[ -e $need ]]; do
        ls -- "${need%/*}" "${other%/*}" >/dev/null 2>&1
        [[ -e $need ]] && break
        if [[ -s $other ]] && ! grep -q '^0 ' -- "$other" || ((waited++ >= patience)); then
            echo "error: \`$need\` is not there" >>"$log"
            end SKIPPED
        fi
        sleep 1
    done
done

# The shell is told when the time runs out; the program saves and ends.
"${command[@]}" >>"$log" 2>&1 </dev/null &
child=$!
stopped=
trap 'kill -USR1 "$child" 2>/dev/null' USR1
trap 'stopped=1' TERM
while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
done
# A signal also ends `wait`. Asked again, it tells the status that it has not told yet.
wait "$child" 2>/dev/null
again=$?
[[ $again == 127 ]] || code=$again

if [[ $code == RESUMABLE && -z $stopped ]] && ((${SLURM_RESTART_COUNT:-0} < requeues)); then
    # Slurm ends this script while it puts the task back into the queue.
    SCONTROL requeue "${SLURM_ARRAY_JOB_ID}_$task" && sleep 600
fi
end "$code"
"#;
