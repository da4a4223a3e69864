//! Bad input gets a clear error, and nothing is left half-written.

use std::fs;
use std::path::{Path, PathBuf};

use regrow::disk::Existing;
use regrow::model::folder::{FolderWriter, ModelFolder};
use regrow::model::safetensors::Planned;
use regrow::shape::tensors;
use serde_json::{Value, json};

use crate::workshop::{Workshop, arg, change_json, config, copy_folder, names, read_json, regrow};

/// What all cases share; each works on copies.
struct Bench {
    workshop: Workshop,
    /// A good model in one file, and the same in shards.
    whole: PathBuf,
    sharded: PathBuf,
    corpus: PathBuf,
}

/// One case: bad input, and what has to come of it.
struct Case<'a> {
    bench: &'a Bench,
    /// A folder of its own, empty at first: what is in it afterwards was written by the command.
    outs: PathBuf,
    /// A folder for input that is made for the case.
    input: PathBuf,
}

type Check = fn(&Case<'_>);

/// The names are the words of the project's list of bad input.
const CASES: &[(&str, Check)] = &[
    ("missing shard", missing_shard),
    ("truncated shard", truncated_shard),
    ("header length that lies", header_length),
    ("offsets that overlap or leave the file", offsets),
    ("shape against config", shape),
    ("index that names a path outside its folder", index_outside),
    ("unknown architecture", architecture),
    ("pickle weights (`pytorch_model.bin`: refused, with a hint)", pickle),
    ("rate of 0, 1, NaN or above", rates),
    ("a rate that no whole layer comes near (with the nearest)", far_rate),
    ("corpus shorter than one context", short_corpus),
    ("held-out text that is also training text (warned)", overlap),
    ("corpus tokenised with another tokenizer", other_tokenizer),
    ("corpus of another vocabulary", other_vocabulary),
    ("token id out of range", token_range),
    ("context longer than the model's positions", long_context),
    ("empty held-out part", empty_heldout),
    ("output folder that exists (unless `--resume` or `--force`)", existing),
    ("resume with another recipe (which fields differ)", other_recipe),
    (
        "NaN loss (step, learning rate and largest gradient named; last good checkpoint kept)",
        nan_loss,
    ),
];

#[test]
fn bad_input_gets_a_clear_error_and_leaves_nothing_half_written() {
    let bench = Bench::new();
    let mut failed = Vec::new();
    for (number, (name, check)) in CASES.iter().enumerate() {
        let folder = bench.workshop.path(&format!("case-{number}"));
        let case = Case { bench: &bench, outs: folder.join("outs"), input: folder.join("input") };
        fs::create_dir_all(&case.outs).unwrap();
        // So that every case is tried, and the failing ones are named.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&case))).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

impl Bench {
    fn new() -> Self {
        let workshop = Workshop::new();
        workshop.scratch("base", "400");
        workshop.tokenize(270, "other-corpus");
        let (whole, sharded) = (workshop.path("base/model"), workshop.path("sharded"));
        let folder = ModelFolder::open(&whole).unwrap();
        let tensors = tensors::tensors(folder.config());
        let plan = tensors.iter().map(|spec| Planned::new(spec, folder.dtype())).collect();
        let mut writer =
            FolderWriter::create(&sharded, Existing::Refuse, folder.raw_config(), plan, 60_000)
                .unwrap();
        for spec in &tensors {
            writer.write(folder.tensor(spec).unwrap().bytes).unwrap();
        }
        writer.copy_companions(&whole).unwrap();
        writer.commit().unwrap();
        assert!(names(&sharded).iter().filter(|name| name.ends_with(".safetensors")).count() > 1);
        let corpus = workshop.path("corpus");
        Self { workshop, whole, sharded, corpus }
    }
}

impl Case<'_> {
    fn out(&self) -> PathBuf {
        self.outs.join("out")
    }

    /// A copy of a folder to be damaged.
    fn copy(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.input.join(name);
        copy_folder(from, &to);
        to
    }

    /// Runs the command, which must end with status 1, say all of `said` as one error, and write
    /// nothing.
    fn refused(&self, arguments: &[&str], said: &[&str]) {
        let ran = regrow(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{arguments:?}: {}", ran.stdout);
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        for part in said {
            assert!(ran.stderr.contains(part), "{arguments:?}: no `{part}` in: {}", ran.stderr);
        }
        assert_eq!(names(&self.outs), Vec::<String>::new(), "{arguments:?}");
    }

    /// A model that cannot be used is refused by all that use models.
    fn model_refused(&self, model: &Path, said: &[&str]) {
        let (out, corpus, model) = (self.out(), &self.bench.corpus, arg(model));
        self.refused(&["prune", model, "--drop", "1", "--out", arg(&out)], said);
        self.refused(
            &["train", model, "--corpus", arg(corpus), "--tokens", "500", "--out", arg(&out)],
            said,
        );
        self.refused(&["eval", model, "--corpus", arg(corpus)], said);
        self.refused(&["inspect", model], said);
    }

    fn prune_refused(&self, extra: &[&str], said: &[&str]) {
        let (out, corpus) = (self.out(), &self.bench.corpus);
        let all = ["prune", arg(&self.bench.whole), "--corpus", arg(corpus), "--out", arg(&out)];
        self.refused(&[&all[..], extra].concat(), said);
    }

    /// `train` on the whole model, with an output folder.
    fn train(&self, corpus: &Path, out: &Path, extra: &[&str]) -> Vec<String> {
        let all = [
            "train",
            arg(&self.bench.whole),
            "--corpus",
            arg(corpus),
            "--context",
            "48",
            "--batch",
            "2",
            "--eval-tokens",
            "200",
            "--eval-points",
            "1",
            "--out",
            arg(out),
        ];
        [&all[..], extra].concat().iter().map(ToString::to_string).collect()
    }
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn missing_shard(case: &Case<'_>) {
    let model = case.copy(&case.bench.sharded, "model");
    let shard = names(&model).into_iter().find(|name| name.starts_with("model-00002")).unwrap();
    fs::remove_file(model.join(&shard)).unwrap();
    case.model_refused(
        &model,
        &["model.safetensors.index.json", &shard, "is missing", "\n\nhint: "],
    );
}

fn truncated_shard(case: &Case<'_>) {
    let model = case.copy(&case.bench.sharded, "model");
    let shard = names(&model).into_iter().find(|name| name.starts_with("model-00002")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(model.join(&shard)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 5).unwrap();
    let found = format!("{} bytes, expected {length}", length - 5);
    case.model_refused(&model, &[&shard, &found, "truncated", "\n\nhint: "]);
}

fn header_length(case: &Case<'_>) {
    for (number, lie) in [u64::MAX, 1 << 40, 3].into_iter().enumerate() {
        let model = case.copy(&case.bench.whole, &number.to_string());
        let path = model.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        bytes[..8].copy_from_slice(&lie.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        case.model_refused(&model, &["model.safetensors", "header"]);
    }
}

fn offsets(case: &Case<'_>) {
    let first = "model.layers.0.input_layernorm.weight";
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 2] = [
        ("overlap", |header| {
            header["model.norm.weight"]["data_offsets"] =
                header["model.layers.0.input_layernorm.weight"]["data_offsets"].clone();
        }),
        ("leave", |header| {
            let end = header["model.norm.weight"]["data_offsets"][1].as_u64().unwrap();
            header["model.norm.weight"]["data_offsets"] = json!([end + 128, end + 256]);
        }),
    ];
    for (name, change) in changes {
        let model = case.copy(&case.bench.whole, name);
        let path = model.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        assert!(header.get(first).is_some(), "{header}");
        change(&mut header);
        let header = header.to_string().into_bytes();
        let mut changed = (header.len() as u64).to_le_bytes().to_vec();
        changed.extend(&header);
        changed.extend(&bytes[8 + length..]);
        fs::write(&path, changed).unwrap();
        case.model_refused(&model, &["model.safetensors", "bytes"]);
    }
}

fn shape(case: &Case<'_>) {
    let model = case.copy(&case.bench.whole, "model");
    change_json(&model.join("config.json"), |config| config["intermediate_size"] = 82.into());
    case.model_refused(&model, &["model.layers.0.mlp.", "is [80, 32]", "expected [82, 32]"]);
}

fn index_outside(case: &Case<'_>) {
    for (number, path) in
        ["../other/model.safetensors", "/etc/passwd", "a/../../b"].into_iter().enumerate()
    {
        let model = case.copy(&case.bench.sharded, &number.to_string());
        change_json(&model.join("model.safetensors.index.json"), |index| {
            index["weight_map"]["model.norm.weight"] = path.into();
        });
        case.model_refused(&model, &[path, "may not be used inside"]);
    }
}

fn architecture(case: &Case<'_>) {
    let model = case.copy(&case.bench.whole, "model");
    change_json(&model.join("config.json"), |config| {
        config["architectures"] = json!(["GPT2LMHeadModel"]);
        config["model_type"] = "gpt2".into();
    });
    case.model_refused(
        &model,
        &["unknown architecture `GPT2LMHeadModel`", "LlamaForCausalLM", "Qwen2ForCausalLM"],
    );
}

fn pickle(case: &Case<'_>) {
    let model = case.copy(&case.bench.whole, "model");
    fs::rename(model.join("model.safetensors"), model.join("pytorch_model.bin")).unwrap();
    case.model_refused(
        &model,
        &["`pytorch_model.bin`, a pickle file", "\n\nhint: pickle files can run code"],
    );
}

fn rates(case: &Case<'_>) {
    for (rate, shown) in
        [("0", "0"), ("1", "1"), ("NaN", "NaN"), ("1.5", "1.5"), ("inf", "inf"), ("-0.2", "-0.2")]
    {
        case.prune_refused(
            &["--rate", rate],
            &[&format!("rate is {shown}, expected above 0 and below 1")],
        );
    }
}

fn far_rate(case: &Case<'_>) {
    let legal =
        regrow(&["inspect", arg(&case.bench.whole), "--json"]).json()["legal_rates"].clone();
    let rate = |dropped: usize| legal[dropped - 1]["rate"].as_f64().unwrap();
    let between = format!("{:.3}", (rate(1) + rate(2)) / 2.0);
    let said =
        [format!("{:.4} (1 layer) below", rate(1)), format!("{:.4} (2 layers) above", rate(2))];
    let hint = "\n\nhint: ask for one of the legal rates";
    case.prune_refused(
        &["--rate", &between],
        &["no whole number of layers", &said[0], &said[1], hint],
    );
}

fn short_corpus(case: &Case<'_>) {
    let tokens =
        read_json(&case.bench.corpus.join("corpus.json"))["train"]["tokens"].as_u64().unwrap();
    let (out, corpus, model) =
        (case.out(), arg(&case.bench.corpus), case.copy(&case.bench.whole, "model"));
    change_json(&model.join("config.json"), |config| {
        config["max_position_embeddings"] = tokens.into();
    });
    let context = tokens.to_string();
    let train = |context| {
        [
            "train",
            arg(&model),
            "--corpus",
            corpus,
            "--tokens",
            "500",
            "--context",
            context,
            "--out",
            arg(&out),
        ]
    };
    let found = format!("{tokens} training tokens, expected at least {}", tokens + 1);
    case.refused(&train(&context), &["corpus is shorter than one context", &found, "\n\nhint: "]);
    // The longest context that fits is taken.
    let context = (tokens - 1).to_string();
    let ran = regrow(&[&train(&context)[..], &["--dry-run"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn overlap(case: &Case<'_>) {
    let corpus = case.copy(&case.bench.corpus, "corpus");
    for ending in ["bin", "idx"] {
        fs::copy(corpus.join(format!("train.{ending}")), corpus.join(format!("heldout.{ending}")))
            .unwrap();
    }
    change_json(&corpus.join("corpus.json"), |info| info["heldout"] = info["train"].clone());
    let documents = read_json(&corpus.join("corpus.json"))["train"]["documents"].clone();
    let arguments = case.train(&corpus, &case.out(), &["--tokens", "200"]);
    let ran = regrow(&strs(&arguments));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let warned =
        format!("warning: held-out text that is also training text: {documents} of {documents}");
    assert!(ran.stderr.contains(&warned), "{}", ran.stderr);
    // A corpus of our own making is not warned about.
    let arguments = case.train(&case.bench.corpus, &case.outs.join("clean"), &["--tokens", "200"]);
    assert!(!regrow(&strs(&arguments)).stderr.contains("also training text"));
}

fn other_tokenizer(case: &Case<'_>) {
    let corpus = case.bench.workshop.path("other-corpus");
    let said = ["corpus tokenised with another tokenizer", "\n\nhint: tokenise the text"];
    case.refused(&["eval", arg(&case.bench.whole), "--corpus", arg(&corpus)], &said);
    case.refused(&strs(&case.train(&corpus, &case.out(), &["--tokens", "500"])), &said);
    let out = case.out();
    let prune = [
        "prune",
        arg(&case.bench.whole),
        "--rate",
        "0.2",
        "--corpus",
        arg(&corpus),
        "--out",
        arg(&out),
    ];
    case.refused(&prune, &said);
}

fn other_vocabulary(case: &Case<'_>) {
    // No tokenizer in the model's folder: only the vocabularies can be held together.
    let model = case.copy(&case.bench.whole, "model");
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    let corpus = case.bench.workshop.path("large-corpus");
    case.bench.workshop.tokenize(300, "large-corpus");
    let out = case.out();
    let train =
        ["train", arg(&model), "--corpus", arg(&corpus), "--tokens", "500", "--out", arg(&out)];
    case.refused(
        &train,
        &["`vocab_size` is 280 in `", "expected at least the corpus's vocabulary of 300"],
    );
}

fn long_context(case: &Case<'_>) {
    let (out, corpus, whole) = (case.out(), arg(&case.bench.corpus), arg(&case.bench.whole));
    for flag in ["--context", "--eval-context"] {
        let train =
            ["train", whole, "--corpus", corpus, "--tokens", "500", flag, "97", "--out", arg(&out)];
        let said = format!("`{flag}` is 97 tokens, the model has positions for 96");
        let hint = format!("\n\nhint: give `{flag} 96` or less");
        case.refused(&train, &[&said, "`max_position_embeddings` in `", "config.json", &hint]);
    }
    // All of them are taken.
    let train =
        ["train", whole, "--corpus", corpus, "--tokens", "500", "--context", "96", "--dry-run"];
    assert_eq!(regrow(&train).code, 0);
}

fn empty_heldout(case: &Case<'_>) {
    // As another program may write it: no document at all, or one that holds nothing but its begin
    // token.
    let sixteen_bit = [&b"MMIDIDX\0\0"[..], &1_u64.to_le_bytes(), &[8]].concat();
    let none = [&sixteen_bit[..], &0_u64.to_le_bytes(), &1_u64.to_le_bytes(), &[0; 8]].concat();
    let sizes =
        [&1_u64.to_le_bytes()[..], &2_u64.to_le_bytes(), &1_u32.to_le_bytes(), &[0; 8]].concat();
    let bare = [&sixteen_bit[..], &sizes, &0_u64.to_le_bytes(), &1_u64.to_le_bytes()].concat();
    let refusals: [(usize, Vec<u8>, &[&str]); 2] = [
        (0, none, &["heldout.idx`: number of sequences is 0, expected at least one"]),
        (
            1,
            bare,
            &["the held-out part", "1 documents of 1 tokens", "\n\nhint: ", "`--heldout-share`"],
        ),
    ];
    for (documents, index, said) in refusals {
        let corpus = case.copy(&case.bench.corpus, &documents.to_string());
        let file = corpus.join("heldout.bin");
        fs::write(&file, vec![0; 2 * documents]).unwrap();
        fs::write(corpus.join("heldout.idx"), index).unwrap();
        let hash = regrow::disk::sha256(&file).unwrap().to_string();
        change_json(&corpus.join("corpus.json"), |info| {
            info["heldout"]["hash"] = hash.into();
            info["heldout"]["bytes"] = 0.into();
            info["heldout"]["documents"] = documents.into();
            info["heldout"]["tokens"] = documents.into();
        });
        case.refused(&strs(&case.train(&corpus, &case.out(), &["--tokens", "500"])), said);
    }
}

fn token_range(case: &Case<'_>) {
    let corpus = case.copy(&case.bench.corpus, "corpus");
    for part in ["train", "heldout"] {
        let path = corpus.join(format!("{part}.bin"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[10..12].copy_from_slice(&60_000_u16.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let hash = regrow::disk::sha256(&path).unwrap().to_string();
        change_json(&corpus.join("corpus.json"), |info| info[part]["hash"] = hash.into());
    }
    let said = ["token id out of range", "id 60000 at token 5", "vocabulary of 280"];
    case.refused(&["eval", arg(&case.bench.whole), "--corpus", arg(&corpus)], &said);
    case.refused(&strs(&case.train(&corpus, &case.out(), &["--tokens", "500"])), &said);
    // A configuration with fewer rows than the corpus has tokens.
    let init = case.input.join("small.json");
    fs::write(&init, config(279).to_string()).unwrap();
    let out = case.out();
    let train = [
        "train",
        "--init",
        arg(&init),
        "--corpus",
        arg(&case.bench.corpus),
        "--tokens",
        "500",
        "--out",
        arg(&out),
    ];
    case.refused(
        &train,
        &["`vocab_size` is 279", "expected at least the corpus's vocabulary of 280"],
    );
}

fn existing(case: &Case<'_>) {
    let out = case.out();
    fs::create_dir(&out).unwrap();
    let text = case.bench.workshop.path("text.txt");
    let (whole, corpus) = (arg(&case.bench.whole), &case.bench.corpus);
    let tokenize = [
        "tokenize",
        arg(&text),
        "--documents",
        "blank-line",
        "--vocabulary",
        "270",
        "--out",
        arg(&out),
    ];
    let prune = ["prune", whole, "--drop", "1", "--out", arg(&out)];
    let train = case.train(corpus, &out, &["--tokens", "200"]);
    for arguments in [&tokenize[..], &prune, &strs(&train)] {
        let ran = regrow(arguments);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("out` already exists"), "{}", ran.stderr);
        assert!(ran.stderr.contains("`--force`"), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains("`--resume`"), arguments[0] == "train", "{}", ran.stderr);
        assert_eq!((names(&case.outs), names(&out).len()), (vec!["out".to_owned()], 0));
    }
    for arguments in [&tokenize[..], &prune] {
        let ran = regrow(&[arguments, &["--force"]].concat());
        assert_eq!((ran.code, names(&case.outs)), (0, vec!["out".to_owned()]), "{}", ran.stderr);
    }
    // What is no run is not replaced by one, whatever is said.
    let ran = regrow(&[&strs(&train)[..], &["--force"]].concat());
    assert!(ran.code == 1 && ran.stderr.contains("is not a run folder"), "{}", ran.stderr);
    fs::remove_dir_all(&out).unwrap();
    assert_eq!(regrow(&strs(&train)).code, 0);
    for flag in ["--resume", "--force"] {
        let ran = regrow(&[&strs(&train)[..], &[flag]].concat());
        assert_eq!(
            (ran.code, names(&case.outs)),
            (0, vec!["out".to_owned()]),
            "{flag}: {}",
            ran.stderr
        );
    }
}

fn other_recipe(case: &Case<'_>) {
    let run = case.input.join("run");
    let first =
        case.train(&case.bench.corpus, &run, &["--tokens", "200", "--learning-rate", "1e-3"]);
    assert_eq!(regrow(&strs(&first)).code, 0);
    let second = case.train(
        &case.bench.corpus,
        &run,
        &["--tokens", "200", "--learning-rate", "2e-3", "--seed", "3", "--resume"],
    );
    let said = [
        "another recipe",
        "`optimizer.learning_rate` was 0.001, is 0.002",
        "`seed` was 0, is 3",
        "\n\nhint: ",
    ];
    let files = |folder: &Path| -> Vec<(String, Option<Vec<u8>>)> {
        names(folder)
            .into_iter()
            .map(|name| (name.clone(), fs::read(folder.join(name)).ok()))
            .collect()
    };
    // Of a done run, and of one that could go on.
    for done in [true, false] {
        if !done {
            fs::remove_file(run.join("done.json")).unwrap();
        }
        let before = files(&run);
        case.refused(&strs(&second), &said);
        assert!(files(&run) == before, "the run was changed");
    }
}

fn nan_loss(case: &Case<'_>) {
    let out = case.out();
    let extra = [
        "--tokens",
        "2000",
        "--learning-rate",
        "1e10",
        "--weight-decay",
        "0",
        "--warmup",
        "0",
        "--save-every",
        "96",
        "--eval-first",
        "2000",
    ];
    let ran = regrow(&strs(&case.train(&case.bench.corpus, &out, &extra)));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [
        "error: the loss is NaN at step ",
        "learning rate 1e10",
        "the largest gradient is ",
        "\n\nhint: ",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in: {}", ran.stderr);
    }
    let checkpoint = names(&out).into_iter().find(|name| name.starts_with("checkpoint-")).unwrap();
    assert!(out.join(checkpoint).join("state.json").is_file());
    assert!(!out.join("done.json").exists() && !out.join("model").exists());
    let log = fs::read_to_string(out.join("log.txt")).unwrap();
    assert!(log.contains("failed: the loss is NaN at step "), "{log}");
    assert_eq!(regrow(&["runs", arg(&out), "--json"]).json()["runs"][0]["state"], "resumable");
}
