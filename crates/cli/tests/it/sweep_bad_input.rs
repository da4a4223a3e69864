//! What a sweep refuses before anything starts: one test a case.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::recipes::{CALIBRATION, method};
use crate::workshop::{Workshop, arg, done, names, regrow};

/// A sweep over a model that exists.
fn sweep_of_model() -> String {
    let head = "format = 1\ncontext = 32\n\n[corpus]\nfolder = \"CORPUS\"\n";
    let series =
        "\n[[series]]\nname = \"mine\"\n[[series.models]]\nmodel = \"MODEL\"\nname = \"first\"\n";
    let cut = method("depth-block-influence", "blocks = [1]");
    [head, series, CALIBRATION, &cut, "\n[heal]\ntokens = 1_000\nbatch = 4\neval_points = 2\n"]
        .concat()
}

/// A workshop with a corpus and a tiny model that was trained on it.
struct Bench {
    workshop: Workshop,
}

impl Bench {
    fn new() -> Self {
        let workshop = Workshop::new();
        workshop.scratch("base", "400");
        Self { workshop }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workshop.path(name)
    }

    fn recipe(&self, changes: &[(&str, &str)]) -> String {
        let mut text = sweep_of_model();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        text.replace("CORPUS", arg(&self.path("corpus")))
            .replace("MODEL", arg(&self.path("base/model")))
    }

    /// Runs a changed recipe, which must be refused with these words before anything is made.
    fn refused(&self, changes: &[(&str, &str)], flags: &[&str], said: &str) {
        let (file, out) = (self.path("recipe.toml"), self.path("out"));
        fs::write(&file, self.recipe(changes)).unwrap();
        let words = [&["sweep", arg(&file), "--out", arg(&out)], flags].concat();
        let ran = regrow(&words);
        assert!(ran.code == 1 || ran.code == 2, "{changes:?}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(said), "{changes:?}: no `{said}` in {}", ran.stderr);
        assert!(!out.exists(), "{changes:?}: {:?}", names(&out));
    }
}

#[test]
fn a_sweep_of_impossible_rates_names_the_legal_ones() {
    let bench = Bench::new();
    bench.refused(
        &[("blocks = [1]", "rates = [0.9]")],
        &[],
        "no whole number of layers comes within 0.05 of rate 0.9: the nearest ",
    );
    bench.refused(&[("blocks = [1]", "blocks = [99]")], &[], "`blocks` holds 99, expected 1 to ");
}

#[test]
fn a_sweep_without_its_corpus_says_which() {
    let bench = Bench::new();
    bench.refused(
        &[("folder = \"CORPUS\"", "folder = \"nowhere\"")],
        &[],
        "`nowhere` of `corpus` cannot be used",
    );
    let files = ("folder = \"CORPUS\"", "inputs = [\"no-such.txt\"]\nheldout_share = 0.1");
    bench.refused(&[files], &[], "no-such.txt");
}

#[test]
fn a_sweep_without_its_model_says_which() {
    let bench = Bench::new();
    bench.refused(
        &[("\"MODEL\"", "\"no-such-model\"")],
        &[],
        "`no-such-model` is neither a folder",
    );
}

#[test]
fn a_tokenizer_that_is_not_the_models_is_refused_before_anything_starts() {
    let bench = Bench::new();
    bench.workshop.tokenize(290, "other");
    let other = format!("folder = \"{}\"", arg(&bench.path("other")));
    bench.refused(&[("folder = \"CORPUS\"", &other)], &[], "models of one sweep read one text");
}

#[test]
fn a_sweep_on_slurm_without_slurm_says_so() {
    let bench = Bench::new();
    let nowhere = ("[calibration]", "[executor]\ncommands = \"/no/such/folder\"\n[calibration]");
    bench.refused(
        &[nowhere],
        &["--executor", "slurm"],
        "`/no/such/folder/sbatch` of Slurm cannot be started",
    );
    bench.refused(&[nowhere], &["--executor", "slurm"], "hint: load Slurm's module");
}

/// A folder with a program in place of `sbatch`, which answers with `script`.
fn commands(bench: &Bench, script: &str) -> String {
    let folder = bench.path("commands");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("sbatch");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    format!("[executor]\ncommands = \"{}\"\nmemory = \"900B\"\n[calibration]", arg(&folder))
}

#[test]
fn resources_that_no_node_offers_are_refused_with_slurms_own_reason() {
    let bench = Bench::new();
    let reason = "allocation failure: Requested node configuration is not available";
    let keys = commands(&bench, &format!("echo '{reason}' >&2; exit 1"));
    bench.refused(&[("[calibration]", &keys)], &["--executor", "slurm"], reason);
}

#[test]
fn a_time_limit_that_ends_before_jobs_are_asked_to_save_is_refused() {
    let bench = Bench::new();
    let said = "`time` of `executor` is 240 s, expected more than the 300 s of `save_before`";
    let keys = |name: &str| format!("[executor]\n{name}time = \"4m\"\n[calibration]");
    bench.refused(&[("[calibration]", &keys("name = \"slurm\"\n"))], &[], said);
    bench.refused(&[("[calibration]", &keys(""))], &["--executor", "slurm"], said);
}

#[test]
fn pytorch_trains_no_base_from_random_weights() {
    let bench = Bench::new();
    let base = "\n[base]\ntokens = 500\ntrainer = \"torch\"\n[heal]";
    bench.refused(&[("\n[heal]", base)], &[], "`trainer` has no place in `base`");
}

#[test]
fn names_that_would_leave_the_folder_of_a_sweep_are_refused() {
    let bench = Bench::new();
    for name in ["../out", "a/b", ".hidden", "", "a b", "\\u0000", "-x\\n"] {
        let said = if name.is_empty() { "model name ``" } else { "name `" };
        bench.refused(&[("\"first\"", &format!("\"{name}\""))], &[], said);
        bench.refused(&[("\"mine\"", &format!("\"{name}\""))], &[], "series name `");
    }
}

#[test]
fn two_runs_with_one_id_are_refused() {
    let bench = Bench::new();
    let series = "[[series.models]]\nmodel = \"MODEL\"\nname = \"x-b\"\n\
                  [[series]]\nname = \"mine-x\"\n[[series.models]]\nmodel = \"MODEL\"\nname = \"b\"\n[calibration]";
    bench.refused(&[("[calibration]", series)], &[], "two jobs are called `");
    let twice = "[[cases]]\nadd = \"x\"\nbatch = 2\n[[cases]]\nadd = \"x\"\nbatch = 8\n";
    bench.refused(&[("[heal]", &format!("{twice}[heal]"))], &[], "two `cases` make a run `x`");
}

/// Words that a shell would read something into, or that would end a line of a script.
const HOSTILE: [&str; 6] = [
    "$(touch PWNED)",
    "`touch PWNED`",
    "a; touch PWNED",
    "'; touch PWNED; '",
    "\"$HOME\"",
    "a\nEND\ntouch PWNED",
];

#[test]
fn shell_characters_in_paths_reach_the_program_as_they_are() {
    let bench = Bench::new();
    for (number, word) in HOSTILE.into_iter().enumerate() {
        // The model's folder has such a name, and the sweep's folder too.
        let folder = bench.path(&format!("in {number} {word}").replace('/', "_"));
        fs::create_dir(&folder).unwrap();
        let model = folder.join("model");
        copy(&bench.path("base/model"), &model);
        let out = folder.join("out");
        let file = bench.path("recipe.toml");
        let quoted = toml::Value::from(arg(&model)).to_string();
        fs::write(&file, bench.recipe(&[("\"MODEL\"", &quoted)])).unwrap();
        let ran = regrow(&["sweep", arg(&file), "--out", arg(&out), "--quiet"]);
        // Two runs of one size are too few for a law, and are made nevertheless.
        assert!(!ran.stderr.contains("` failed: "), "{word}: {}", ran.stderr);
        assert_eq!(names(&out.join("runs")).len(), 2, "{word}: {}", ran.stderr);
        // What Slurm would get: a shell reads the very same words.
        let shown = done(&[
            "sweep",
            arg(&file),
            "--out",
            arg(&out.with_extension("b")),
            "--executor",
            "slurm",
            "--dry-run",
        ])
        .stdout;
        let script = shown.split("<<'END'\n").nth(1).unwrap().split("\nEND\n\n").next().unwrap();
        let only = script.split("\ntask=").next().unwrap().to_owned()
            + "\ntask=$SLURM_ARRAY_TASK_ID"
            + script
                .split_once("\ntask=$SLURM_ARRAY_TASK_ID")
                .unwrap()
                .1
                .split("\npatience=")
                .next()
                .unwrap()
            + "\nprintf '%s\\0' \"${command[@]}\"\n";
        let read = std::process::Command::new("bash")
            .args(["-c", &only])
            .env("SLURM_ARRAY_TASK_ID", "0")
            .current_dir(&folder)
            .output()
            .unwrap();
        let words = String::from_utf8(read.stdout).unwrap();
        assert!(words.split('\0').any(|found| found == arg(&model)), "{word}: {words:?}");
    }
    let mut left = Vec::new();
    find(&bench.path("."), "PWNED", &mut left);
    assert!(left.is_empty() && !Path::new("PWNED").exists(), "{left:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

fn find(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name() == name {
            found.push(entry.path());
        }
        if entry.file_type().unwrap().is_dir() {
            find(&entry.path(), name, found);
        }
    }
}
