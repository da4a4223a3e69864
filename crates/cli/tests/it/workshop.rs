//! What the tests work on: the command, some text, a corpus, a tiny model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regrow::disk::Existing;
use regrow::model::folder::{FolderWriter, ModelFolder};
use regrow::model::safetensors::{Dtype, Planned, Writer};
use regrow::shape::tensors::{self, TensorSpec};
use serde_json::{Value, json};

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The JSON on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The command with these arguments, on one thread so that tests share the machine.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
    command.args(arguments).args(["--threads", "1"]);
    command
}

/// Runs the command.
pub(crate) fn regrow(arguments: &[&str]) -> Ran {
    let output = command(arguments).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command, which must succeed.
pub(crate) fn done(arguments: &[&str]) -> Ran {
    let ran = regrow(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    ran
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with text, a corpus and the configuration of a tiny model.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workshop = Self { folder };
        fs::write(workshop.path("text.txt"), text()).unwrap();
        fs::write(workshop.path("tiny.json"), config(280).to_string()).unwrap();
        workshop.tokenize(280, "corpus");
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a corpus with a vocabulary of its own.
    pub(crate) fn tokenize(&self, vocabulary: usize, name: &str) -> Ran {
        let (text, out) = (self.path("text.txt"), self.path(name));
        let vocabulary = vocabulary.to_string();
        done(&[
            "tokenize",
            arg(&text),
            "--documents",
            "blank-line",
            "--vocabulary",
            &vocabulary,
            "--heldout-share",
            "0.1",
            "--out",
            arg(&out),
            "--json",
        ])
    }

    /// Trains a tiny model from scratch for some tokens; the model is in `name/model`.
    pub(crate) fn scratch(&self, name: &str, tokens: &str) -> Ran {
        let out = self.path(name);
        let words = self.scratch_words(&[
            "--tokens",
            tokens,
            "--context",
            "48",
            "--batch",
            "4",
            "--learning-rate",
            "3e-3",
            "--eval-points",
            "3",
            "--eval-tokens",
            "1000",
            "--out",
            arg(&out),
            "--json",
        ]);
        done(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The words that train a tiny model from scratch on the corpus, and some flags behind them.
    pub(crate) fn scratch_words(&self, flags: &[&str]) -> Vec<String> {
        let (init, corpus) = (self.path("tiny.json"), self.path("corpus"));
        let words = ["train", "--init", arg(&init), "--corpus", arg(&corpus)];
        [&words[..], flags].concat().iter().map(ToString::to_string).collect()
    }
}

/// The shape of the tiny model: four blocks, so that one of them is a legal rate.
pub(crate) fn config(vocabulary: usize) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 80, "vocab_size": vocabulary,
        "max_position_embeddings": 96, "tie_word_embeddings": true,
    })
}

/// A few hundred short documents with some grammar to learn, the same every time.
fn text() -> String {
    let mut state = 7_u64;
    let mut pick = |words: &[&'static str]| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(state >> 33) as usize % words.len()]
    };
    let mut text = String::new();
    for _ in 0..400 {
        let person = pick(&["Ada", "Grace", "Emmy", "Sofia"]);
        for _ in 0..3 + pick(&["", "a", "ab", "abc"]).len() {
            let (verb, thing) = (
                pick(&["found", "lost", "drew", "sold"]),
                pick(&["a map", "two keys", "the lamp"]),
            );
            text += &format!("{person} {verb} {thing}. ");
        }
        text += "\n\n";
    }
    text
}

/// Copies a folder of plain files.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        } else {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

/// Names in a folder, hidden ones too, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// Reads a JSON file.
/// The held-out loss of a model in windows of 48, read by `eval`.
pub(crate) fn held_out_loss(model: &Path, corpus: &Path, tokens: &str) -> Value {
    let of = ["eval", arg(model), "--corpus", arg(corpus), "--context", "48", "--json"];
    done(&[&of[..], &["--tokens", tokens]].concat()).json()["loss"].clone()
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Changes a JSON file.
pub(crate) fn change_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = read_json(path);
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// A copy of a model whose numbers are changed tensor by tensor, in files of at most `shard` bytes.
pub(crate) fn remade(
    from: &Path,
    to: &Path,
    shard: u64,
    change: impl Fn(&TensorSpec, &mut Vec<f32>),
) {
    let folder = ModelFolder::open(from).unwrap();
    let tensors = tensors::tensors(folder.config());
    let plan = tensors.iter().map(|spec| Planned::new(spec, folder.dtype())).collect();
    let mut writer =
        FolderWriter::create(to, Existing::Refuse, folder.raw_config(), plan, shard).unwrap();
    for spec in &tensors {
        let mut values = vec![0.0; spec.len()];
        folder.read_f32(spec, &mut values).unwrap();
        change(spec, &mut values);
        writer.write_f32(&values).unwrap();
    }
    writer.copy_companions(from).unwrap();
    writer.commit().unwrap();
}

/// Writes a safetensors file of ones.
pub(crate) fn ones(file: &Path, tensors: &[(String, Vec<usize>)]) {
    let planned = |(name, shape): &(String, Vec<usize>)| Planned {
        name: name.clone(),
        dtype: Dtype::F32,
        shape: shape.clone(),
    };
    let mut writer = Writer::create(file, tensors.iter().map(planned).collect()).unwrap();
    for (_, shape) in tensors {
        writer.write_f32(&vec![1.0; shape.iter().product()]).unwrap();
    }
    writer.commit().unwrap();
}

/// Puts a number in the place of an element of a tensor, whatever the file says of it.
pub(crate) fn poke(model: &Path, tensor: &str, element: usize, value: f32) {
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header[tensor]["dtype"], "F32");
    let at =
        8 + length + header[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 4 * element;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    fs::write(&path, bytes).unwrap();
}
