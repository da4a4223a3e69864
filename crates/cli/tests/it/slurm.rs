//! Sweeps on a real Slurm, of several nodes on this machine. Skipped where none can be had.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::recipes::tiny;
use crate::workshop::{arg, command, names, regrow};

/// What is added to a recipe.
const EXECUTOR: &str = r#"
[executor]
name = "slurm"
commands = "COMMANDS"
poll = 0.3
time = "1h"
"#;

/// A Slurm of our own, until it is dropped.
struct Cluster {
    folder: tempfile::TempDir,
    commands: PathBuf,
}

impl Cluster {
    fn script() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/local_slurm.py")
    }

    /// Three nodes, or why there are none.
    fn up() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let ran = Command::new("python3")
            .arg(Self::script())
            .args(["up", arg(folder.path()), "--nodes", "3"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("python3: {error}"))?;
        if !ran.status.success() {
            return Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned());
        }
        let commands = PathBuf::from(String::from_utf8_lossy(&ran.stdout).trim());
        Ok(Self { folder, commands })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("python3")
            .arg(Self::script())
            .args(["down", arg(self.folder.path())])
            .status();
    }
}

/// How often each job was submitted.
fn submissions(out: &Path) -> BTreeMap<String, usize> {
    let folder = out.join("jobs/slurm");
    let mut found = BTreeMap::new();
    for name in names(&folder).iter().filter(|name| name.ends_with(".json")) {
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
        // A kill between the note and `sbatch` rightly leaves one without a number.
        if !record["number"].is_u64() {
            continue;
        }
        for job in record["jobs"].as_array().unwrap() {
            *found.entry(job.as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    found
}

#[test]
fn a_sweep_on_slurm_whose_head_is_killed_gives_the_table_of_a_local_one() {
    let cluster = match Cluster::up() {
        Ok(cluster) => cluster,
        Err(why) => {
            eprintln!(
                "skipped: a_sweep_on_slurm_whose_head_is_killed_gives_the_table_of_a_local_one: {why}"
            );
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    let executor = EXECUTOR.replace("COMMANDS", arg(&cluster.commands));
    fs::write(&recipe, tiny() + &executor).unwrap();
    let (here, there) = (folder.path().join("local"), folder.path().join("slurm"));
    let local =
        regrow(&["sweep", arg(&recipe), "--out", arg(&here), "--executor", "local", "--quiet"]);
    assert_eq!(local.code, 3, "{}", local.stderr);
    // The process that submits is killed as soon as something new is there.
    for (at, awaited) in
        ["corpus", "bases/small-16x3", "models/small-8x3-depth-block-influence-1of3"]
            .into_iter()
            .enumerate()
    {
        let words = match at {
            0 => vec!["sweep", arg(&recipe), "--out", arg(&there), "--quiet"],
            _ => vec!["sweep", "--attach", arg(&there), "--quiet"],
        };
        let mut head = command(&words).spawn().unwrap();
        let begun = Instant::now();
        while !there.join(awaited).exists() && head.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(300), "no `{awaited}`");
            sleep(Duration::from_millis(10));
        }
        head.kill().unwrap();
        head.wait().unwrap();
    }
    let ended = regrow(&["sweep", "--attach", arg(&there), "--quiet"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    for name in ["points.csv", "law.json", "curves.svg"] {
        let file = |out: &Path| fs::read(out.join(name)).unwrap();
        assert!(file(&here) == file(&there), "`{name}` differs");
    }
    let doubled: Vec<_> = submissions(&there).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}
