//! Help has examples, and flags do not come, go or change their names unnoticed.

use std::collections::BTreeSet;

use clap::CommandFactory;
use regrow_cli::Cli;

use crate::workshop::{done, regrow};

/// Every flag of every subcommand, those of all aside. They are an interface: scripts break when
/// one goes.
const FLAGS: &[(&str, &[&str])] = &[
    (
        "tokenize",
        &[
            "begin-token",
            "documents",
            "field",
            "force",
            "heldout-share",
            "json",
            "out",
            "separator",
            "skip-broken",
            "tokenizer",
            "vocabulary",
        ],
    ),
    (
        "teach",
        &[
            "context",
            "corpus",
            "eval-context",
            "eval-convention",
            "eval-stride",
            "eval-tokens",
            "json",
            "out",
            "precision",
            "resume",
            "temperature",
            "top",
        ],
    ),
    (
        "train",
        &[
            "base",
            "base-loss",
            "batch",
            "beta1",
            "beta2",
            "clip-norm",
            "compile",
            "context",
            "corpus",
            "decay",
            "distil-weight",
            "dry-run",
            "epsilon",
            "eval-context",
            "eval-convention",
            "eval-first",
            "eval-points",
            "eval-stride",
            "eval-tokens",
            "force",
            "init",
            "json",
            "keep-checkpoint",
            "learning-rate",
            "loss0",
            "memory",
            "micro-batch",
            "objective",
            "out",
            "precision",
            "print",
            "processes",
            "profile",
            "python",
            "recipe",
            "recompute",
            "resume",
            "save-every",
            "seed",
            "series",
            "stop-when",
            "teacher",
            "temperature",
            "time-limit",
            "tokens",
            "trainer",
            "warmup",
            "weight-decay",
        ],
    ),
    (
        "eval",
        &[
            "begin-token",
            "context",
            "convention",
            "corpus",
            "documents",
            "documents-limit",
            "each",
            "field",
            "json",
            "out",
            "part",
            "separator",
            "stride",
            "text",
            "tokens",
        ],
    ),
    ("inspect", &["base", "json", "verify"]),
    (
        "prune",
        &[
            "begin-token",
            "corpus",
            "cut",
            "documents",
            "documents-limit",
            "drop",
            "dry-run",
            "ffn-multiple",
            "field",
            "force",
            "hidden-multiple",
            "json",
            "layers",
            "length",
            "loss0",
            "method",
            "out",
            "over-sequences",
            "over-tokens",
            "positions",
            "rate",
            "samples",
            "seed",
            "separator",
            "series",
            "shape",
            "shard-size",
            "spill",
            "text",
            "tolerance",
            "width",
        ],
    ),
    (
        "import",
        &[
            "accumulation",
            "base",
            "batch",
            "force",
            "format",
            "json",
            "length",
            "loss0",
            "map",
            "method",
            "model",
            "n0",
            "out",
            "processes",
            "rate",
            "run",
            "series",
            "tokens-per-step",
            "training-loss",
            "unit",
        ],
    ),
    ("runs", &["base", "csv", "json", "method", "parquet", "points", "series", "sort", "state"]),
    ("runs exclude", &["reason"]),
    ("runs include", &[]),
    ("generate", &["begin-token", "force", "logits", "prompt", "token-ids", "tokens"]),
    ("convert", &[]),
    ("convert llama2c", &["force", "out", "tokenizer"]),
    ("sweep", &["attach", "detach", "dry-run", "executor", "jobs", "json", "out"]),
    ("quickstart", &["json", "out", "seed", "text"]),
    ("grammar", &["documents", "force", "out", "seed"]),
    (
        "fit",
        &[
            "bound",
            "curve",
            "doubling-gain",
            "fix",
            "force",
            "form",
            "group-by",
            "intervals",
            "json",
            "level",
            "loss",
            "min-gain",
            "out",
            "prior",
            "seed",
            "starts",
            "target-loss",
            "units",
        ],
    ),
    (
        "forecast",
        &[
            "accumulation",
            "base",
            "batch",
            "force",
            "format",
            "gain",
            "json",
            "law",
            "length",
            "loss0",
            "map",
            "method",
            "model",
            "n0",
            "out",
            "processes",
            "rate",
            "run",
            "seed",
            "series",
            "target",
            "tokens-per-step",
            "training-loss",
            "unit",
            "until",
            "watch",
        ],
    ),
    (
        "predict",
        &[
            "base",
            "force",
            "json",
            "loss0",
            "method",
            "model",
            "n0",
            "objective",
            "out",
            "rate",
            "run",
            "series",
            "tokens",
        ],
    ),
    (
        "plan",
        &[
            "budget",
            "cached-teacher",
            "candidates",
            "device-peak",
            "doubling-gain",
            "force",
            "from",
            "from-loss",
            "gpu-hour-price",
            "json",
            "loss0",
            "max-params",
            "max-tokens",
            "measured",
            "method",
            "min-gain",
            "model",
            "n0",
            "objective",
            "out",
            "rate",
            "recover",
            "removed",
            "series",
            "target-loss",
            "utilisation",
            "zeroed",
        ],
    ),
    ("planner", &["force", "json", "out"]),
    (
        "design",
        &[
            "budget",
            "check",
            "device-peak",
            "eval-points",
            "excess",
            "for",
            "force",
            "gain",
            "gpu-hour-price",
            "json",
            "law",
            "loss-at",
            "method",
            "models",
            "noise",
            "objective",
            "prior",
            "rates",
            "recipe",
            "seed",
            "seeds",
            "series",
            "tokens",
            "utilisation",
        ],
    ),
    (
        "validate",
        &[
            "all",
            "curve",
            "force",
            "form",
            "group-by",
            "intervals",
            "json",
            "level",
            "out",
            "prior",
            "seed",
            "starts",
        ],
    ),
    ("publish", &["base-model", "dry-run", "force", "json", "law", "license", "name", "out"]),
    ("completions", &[]),
    ("man", &["force", "out"]),
];

/// Flags of every subcommand.
const EVERYWHERE: &[&str] = &["color", "quiet", "threads", "verbose"];

#[test]
fn the_flags_are_those_that_are_written_here() {
    let mut command = Cli::command();
    command.build();
    let flags = |command: &clap::Command| -> BTreeSet<String> {
        let names = command.get_arguments().filter_map(|flag| flag.get_long());
        let own =
            names.filter(|name| !EVERYWHERE.contains(name) && !["help", "version"].contains(name));
        own.map(ToOwned::to_owned).collect()
    };
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        found.push((sub.get_name().to_owned(), flags(sub)));
        for inner in sub.get_subcommands().filter(|inner| inner.get_name() != "help") {
            found.push((format!("{} {}", sub.get_name(), inner.get_name()), flags(inner)));
        }
    }
    let expected: Vec<_> = FLAGS
        .iter()
        .map(|(name, flags)| {
            ((*name).to_owned(), flags.iter().map(ToString::to_string).collect::<BTreeSet<_>>())
        })
        .collect();
    assert_eq!(found, expected);
    let everywhere: Vec<_> = command.get_arguments().filter_map(|flag| flag.get_long()).collect();
    assert!(EVERYWHERE.iter().all(|name| everywhere.contains(name)), "{everywhere:?}");
    command.debug_assert();
}

#[test]
fn every_subcommand_has_an_example_of_itself_in_its_help() {
    for (name, _) in FLAGS {
        let arguments: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let help = done(&arguments).stdout;
        let examples = help
            .split_once("Examples:\n")
            .unwrap_or_else(|| panic!("{name} has no examples: {help}"))
            .1;
        assert!(examples.contains(&format!("    regrow {name} ")), "{name}: {examples}");
        assert!(!help.contains('\u{1b}'), "{name}: colours in a pipe");
    }
}

#[test]
fn a_wrong_command_line_ends_with_status_2() {
    let cases: &[&[&str]] = &[
        &[],
        &["nothing"],
        &["eval", "model"],
        &["eval", "model", "--corpus", "a", "--text", "b"],
        &["prune", "model", "--out", "out"],
        &["prune", "model", "--rate", "0.5", "--drop", "1", "--out", "out"],
        &["prune", "model", "--rate", "0.5", "--method", "magic", "--out", "out"],
        &["train", "--corpus", "a", "--out", "out"],
        &["train", "model", "--init", "config.json", "--corpus", "a", "--out", "out"],
        &["train", "model", "--corpus", "a", "--tokens", "many", "--out", "out"],
        &["tokenize", "text", "--out", "out"],
        &["runs", "x", "--threads", "0"],
        &["prune", "llama-3.1-8b", "--rate", "0.25"],
        &["fit", "p.csv", "--form", "p3"],
        &["fit", "p.csv", "--fix", "zeta=1"],
        &["fit", "p.csv", "--bound", "beta=3..1"],
    ];
    for case in cases {
        let ran = regrow(case);
        assert_eq!(ran.code, 2, "{case:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{case:?}");
    }
}

#[test]
fn every_shell_gets_completions_that_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = done(&["completions", shell]).stdout;
        for (name, _) in FLAGS.iter().filter(|(name, _)| !name.contains(' ')) {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
    assert_eq!(regrow(&["completions", "tcl"]).code, 2);
}

#[test]
fn every_subcommand_has_a_manual_page_with_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    let arguments = ["man", "--out", out.to_str().unwrap()];
    done(&arguments);
    for (name, flags) in FLAGS {
        let page = out.join(format!("regrow-{}.1", name.replace(' ', "-")));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("{}", page.display()));
        for flag in *flags {
            // Hyphens are escaped on manual pages.
            assert!(page.replace("\\-", "-").contains(&format!("--{flag}")), "{name}: {flag}");
        }
        assert!(!page.contains('\u{1b}'), "{name}: colours");
    }
    assert_eq!(regrow(&arguments).code, 1, "the folder exists");
}
