//! Nothing that we did not make is ever deleted, and nothing of ours is left behind unsaid.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use regrow::model::folder::ModelFolder;
use regrow::shape::config::ModelConfig;
use regrow::shape::tensors;

use crate::workshop::{Workshop, arg, command, config, done, names, ones, regrow};

/// All files below a folder, with their bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

/// A command that is refused with exit status 1 and these words, and changes no file.
fn refused(folder: &Path, arguments: &[&str], said: &str) {
    let before = contents(folder);
    let ran = regrow(arguments);
    assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.stderr);
    assert!(ran.stderr.contains(said), "{arguments:?}: no `{said}` in {}", ran.stderr);
    assert!(ran.stderr.contains("\n\nhint: "), "{}", ran.stderr);
    let after = contents(folder);
    assert!(before == after, "{arguments:?}: {:?} became {:?}", before.keys(), after.keys());
}

/// A workshop with every kind of output in it.
struct Bench {
    workshop: Workshop,
    llama2c: [PathBuf; 2],
}

impl Bench {
    fn new() -> Self {
        let workshop = Workshop::new();
        workshop.scratch("run", "2000");
        let bench = Self { llama2c: llama2c(&workshop), workshop };
        done(&bench.prune("run/model", "pruned", &[]));
        bench
    }

    fn root(&self) -> PathBuf {
        self.workshop.path("")
    }

    fn at(&self, name: &str) -> String {
        arg(&self.workshop.path(name)).to_owned()
    }

    fn prune(&self, model: &str, out: &str, more: &[&str]) -> Vec<&'static str> {
        let words = ["prune", &self.at(model), "--drop", "1", "--out", &self.at(out)];
        leaked(&[&words[..], more].concat())
    }

    /// Commands that make a folder from text or a model, with the name of what they make.
    fn makers(&self, out: &str) -> Vec<Vec<&'static str>> {
        let out = &self.at(out);
        let [weights, tokens] = self.llama2c.each_ref().map(|path| arg(path));
        let text = &self.at("text.txt");
        [
            &["tokenize", text, "--documents", "blank-line", "--vocabulary", "270", "--out", out][..],
            &["prune", &self.at("run/model"), "--drop", "1", "--out", out],
            &["grammar", "--documents", "20", "--out", out],
            &["convert", "llama2c", weights, "--tokenizer", tokens, "--out", out],
            &["man", "--out", out],
        ]
        .iter()
        .map(|words| leaked(words))
        .collect()
    }
}

/// Words that live as long as the tests.
fn leaked(words: &[&str]) -> Vec<&'static str> {
    words.iter().map(|word| &*Box::leak((*word).to_owned().into_boxed_str())).collect()
}

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

/// A model and a tokenizer of llama2.c.
fn llama2c(workshop: &Workshop) -> [PathBuf; 2] {
    let [weights, tokens] = ["model.bin", "tok.bin"].map(|name| workshop.path(name));
    let vocabulary = 260_u32;
    let (dim, hidden, layers, heads, length) = (8_u32, 16_u32, 1_u32, 2_u32, 16_u32);
    let mut bytes: Vec<u8> = [dim, hidden, layers, heads, heads, vocabulary, length]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let per_layer = 2 * dim + 4 * dim * dim + 3 * dim * hidden;
    let rotary = length * (dim / heads);
    let numbers = vocabulary * dim + layers * per_layer + dim + rotary;
    bytes.extend((0..numbers).flat_map(|_| 0.5_f32.to_le_bytes()));
    fs::write(&weights, bytes).unwrap();
    let mut words = vec!["<unk>".to_owned(), "\n<s>\n".into(), "\n</s>\n".into()];
    words.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    words.push("a".into());
    let mut bytes = 8_u32.to_le_bytes().to_vec();
    for word in words {
        bytes.extend(0_f32.to_le_bytes());
        bytes.extend((word.len() as u32).to_le_bytes());
        bytes.extend(word.as_bytes());
    }
    fs::write(&tokens, bytes).unwrap();
    [weights, tokens]
}

#[test]
fn force_replaces_our_own_folders_and_touches_no_other() {
    let bench = Bench::new();
    let root = bench.root();
    let (mine, file) = (root.join("mine"), root.join("file"));
    fs::create_dir_all(mine.join("deep")).unwrap();
    fs::write(mine.join("deep/diary.txt"), "dear diary").unwrap();
    fs::write(&file, "a letter").unwrap();
    for (a_folder, a_file) in bench.makers("mine").iter().zip(bench.makers("file")) {
        refused(&root, &with(a_folder, &["--force"]), "mine` is not a");
        refused(&root, &with(&a_file, &["--force"]), "it is a file");
    }
    // A run is replaced by a run alone.
    for words in bench.makers("run") {
        let said = if words[0] == "prune" { "run` is or holds" } else { "run` is not a" };
        refused(&root, &with(&words, &["--force"]), said);
    }
    for (at, words) in bench.makers("ours").iter().enumerate() {
        let ours = root.join("ours");
        done(words);
        let first = contents(&ours);
        refused(&root, words, "already exists");
        // What is ours is replaced, whole or torn ...
        let marks = ["corpus.json", "cut.json", "grammar.json", "converted.json", "regrow.1"];
        let mut plain = first.keys().filter(|path| !marks.iter().any(|mark| path.ends_with(mark)));
        fs::remove_file(plain.next().unwrap()).unwrap();
        done(&with(words, &["--force"]));
        assert!(contents(&ours) == first, "{words:?}");
        // ... but not with something of somebody else in it.
        fs::write(ours.join("notes"), "mine").unwrap();
        refused(&root, &with(words, &["--force"]), "it holds `notes`");
        fs::remove_dir_all(&ours).unwrap();
        assert!(names(&root).iter().all(|name| !name.starts_with('.')), "{at}: {:?}", names(&root));
    }
}

#[test]
fn no_input_is_replaced_nor_what_holds_it() {
    let bench = Bench::new();
    let root = bench.root();
    let at = |name: &str| leaked(&[&bench.at(name)])[0];
    let read = "which is read";
    // The very input, and a folder that holds it.
    let corpus = ["tokenize", at("corpus/tokenizer.json"), "--documents", "blank-line"];
    let corpus = with(&corpus, &["--vocabulary", "270", "--force", "--out"]);
    refused(&root, &with(&corpus, &[at("corpus")]), read);
    refused(&root, &with(&bench.prune("pruned", "pruned", &[]), &["--force"]), read);
    let cut = ["prune", at("run/model"), "--cut", at("pruned"), "--out", at("pruned"), "--force"];
    refused(&root, &cut, read);
    let tokens = ["--corpus", at("corpus"), "--tokens", "400", "--context", "48", "--force"];
    let train = |more: &[&str]| {
        let words = with(&["train"], &with(more, &["--out", at("run")]));
        refused(&root, &with(&words, &tokens), read);
    };
    train(&[at("run/model")]);
    train(&["--init", at("run/model/config.json")]);
    train(&["--init", at("tiny.json"), "--recipe", at("run/recipe.toml")]);
    train(&[at("pruned"), "--base", at("run/model")]);
    fs::rename(root.join("corpus"), root.join("run/corpus")).unwrap();
    let inside = at("run/corpus");
    let words = ["train", "--init", at("tiny.json"), "--corpus", inside, "--tokens", "400"];
    refused(&root, &with(&words, &["--force", "--out", at("run")]), read);
    // Links hide nothing.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.join("pruned"), root.join("link")).unwrap();
        refused(&root, &with(&bench.prune("link", "pruned", &[]), &["--force"]), read);
    }
}

#[test]
fn no_file_is_replaced_but_our_own_of_the_same_kind() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let at = |name: &str| arg(&root.join(name)).to_owned();
    let mut table = "series,method,run,n0,rate,loss0,tokens,loss\n".to_owned();
    for (run, (size, rate)) in
        [(1e9, 0.1), (1e9, 0.2), (3e9, 0.1), (3e9, 0.2), (7e9, 0.1), (7e9, 0.3)].iter().enumerate()
    {
        for tokens in [1e8, 3e8, 1e9, 3e9] {
            let loss = 2.0 + rate + (1e8_f64 / tokens).powf(0.4) + (1e9_f64 / size).powf(0.2);
            table += &format!("s,depth-angular,r{run},{size},{rate},2.1,{tokens},{loss}\n");
        }
    }
    fs::write(root.join("p.csv"), table).unwrap();
    fs::write(root.join("letter"), "dear").unwrap();
    fs::write(root.join("mine.svg"), "<svg><!-- a drawing --></svg>").unwrap();
    let fit =
        |out: &str, force: &[&str]| leaked(&with(&["fit", &at("p.csv"), "--out", &at(out)], force));
    let ran = regrow(&fit("law.json", &[]));
    assert!([0, 3].contains(&ran.code) && root.join("law.json").exists(), "{}", ran.stderr);
    refused(root, &fit("p.csv", &["--force"]), "which is read");
    refused(root, &fit("letter", &["--force"]), "is not a law made by regrow");
    let prior = at("letter");
    refused(root, &fit("letter", &["--prior", &prior, "--force"]), "which is read");
    refused(root, &fit("law.json", &[]), "already exists");
    assert!([0, 3].contains(&regrow(&fit("law.json", &["--force"])).code));
    let law = at("law.json");
    let place = ["--n0", "3e9", "--rate", "0.1", "--loss0", "2.1"];
    let plan = with(&["plan", &law], &place);
    let predict = with(&["predict", &law, "--tokens", "1e9"], &place);
    for words in [plan, predict] {
        let out =
            |name: &str, force: &[&str]| leaked(&with(&words, &with(&["--out", &at(name)], force)));
        refused(root, &out("law.json", &["--force"]), "which is read");
        refused(root, &out("letter", &["--force"]), "is not a picture made by regrow");
        refused(root, &out("mine.svg", &["--force"]), "is not a picture made by regrow");
        assert!([0, 3].contains(&regrow(&out("ours.svg", &[])).code));
        if root.join("ours.svg").exists() {
            refused(root, &out("ours.svg", &[]), "already exists");
            assert!([0, 3].contains(&regrow(&out("ours.svg", &["--force"])).code));
            fs::remove_file(root.join("ours.svg")).unwrap();
        }
    }
    let validate = ["validate", &at("p.csv"), "--starts", "4", "--force", "--out"];
    refused(root, &with(&validate, &[&at("letter")]), "is not a picture made by regrow");
    // Logits.
    let workshop = Workshop::new();
    workshop.scratch("run", "400");
    let model = arg(&workshop.path("run/model")).to_owned();
    let logits = |out: &Path, force: &[&str]| {
        let words = ["generate", &model, "--token-ids", "1,2", "--logits", arg(out)];
        leaked(&with(&words, force))
    };
    let weights = workshop.path("run/model/model.safetensors");
    refused(&workshop.path(""), &logits(&weights, &[]), "already exists");
    refused(&workshop.path(""), &logits(&weights, &["--force"]), "not a file of logits");
    let out = workshop.path("logits.json");
    done(&logits(&out, &[]));
    refused(&workshop.path(""), &logits(&out, &[]), "already exists");
    done(&logits(&out, &["--force"]));
}

/// A model whose copy takes a moment.
fn large(workshop: &Workshop) {
    let folder = workshop.path("large");
    fs::create_dir(&folder).unwrap();
    let mut shape = config(280);
    shape["hidden_size"] = 256.into();
    shape["num_hidden_layers"] = 16.into();
    shape["intermediate_size"] = 1024.into();
    fs::write(folder.join("config.json"), shape.to_string()).unwrap();
    let raw = ModelFolder::raw_config_of(&folder).unwrap();
    let all = tensors::tensors(&ModelConfig::from_raw(&raw).unwrap());
    let named: Vec<_> = all.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect();
    ones(&folder.join("model.safetensors"), &named);
}

/// Commands that write for a moment, with what they make.
fn long_ones(workshop: &Workshop) -> Vec<(Vec<&'static str>, &'static str)> {
    large(workshop);
    let text = workshop.path("long.txt");
    fs::write(&text, fs::read_to_string(workshop.path("text.txt")).unwrap().repeat(40)).unwrap();
    let at = |name: &str| leaked(&[arg(&workshop.path(name))])[0];
    let tokenizer = at("corpus/tokenizer.json");
    let tokenize = ["tokenize", at("long.txt"), "--documents", "blank-line", "--tokenizer"];
    [
        (with(&tokenize, &[tokenizer, "--out", at("tokens")]), "tokens"),
        (vec!["prune", at("large"), "--drop", "1", "--out", at("pruned")], "pruned"),
        (vec!["grammar", "--documents", "60k", "--out", at("told")], "told"),
    ]
    .into_iter()
    .map(|(words, out)| (leaked(&words), out))
    .collect()
}

fn quiet(words: &[&str]) -> Command {
    let mut command = command(words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[cfg(unix)]
#[test]
fn a_command_that_a_signal_stops_leaves_nothing() {
    let workshop = Workshop::new();
    for (words, out) in long_ones(&workshop) {
        let before = names(&workshop.path(""));
        let whole = workshop.path(out);
        done(&words);
        let expected = contents(&whole);
        fs::remove_dir_all(&whole).unwrap();
        let mut stopped = 0;
        for (round, signal) in ["INT", "TERM", "HUP"].iter().cycle().take(12).enumerate() {
            let mut child = quiet(&words).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(15 + 17 * round as u64));
            let mut kill = Command::new("kill");
            kill.args([&format!("-{signal}"), &child.id().to_string()]);
            let _ = kill.stderr(Stdio::null()).status();
            let status = child.wait().unwrap();
            stopped += usize::from(!status.success());
            // A signal may also come between the last rename and the end of the process: then all
            // of it is there.
            if whole.exists() {
                assert!(contents(&whole) == expected, "{words:?}: {status}");
                fs::remove_dir_all(&whole).unwrap();
            }
            assert_eq!(names(&workshop.path("")), before, "{words:?} {signal}");
        }
        assert!(stopped > 0, "{words:?}");
    }
}

#[test]
fn what_a_kill_left_is_removed_and_named_by_the_next_run_of_the_same_output() {
    let workshop = Workshop::new();
    for (words, out) in long_ones(&workshop) {
        let before = names(&workshop.path(""));
        done(&words);
        let whole = workshop.path(out);
        let expected = contents(&whole);
        let mut found = 0;
        for round in 0..20 {
            // Every other time over an old folder.
            if round % 2 == 0 {
                fs::remove_dir_all(&whole).unwrap();
            }
            let mut child = quiet(&with(&words, &["--force"])).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(10 + 11 * round));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(round % 2 == 0 || contents(&whole) == expected, "{words:?}: the old one");
            let now = names(&workshop.path(""));
            let left = now.iter().find(|name| name.ends_with(".aside"));
            let ran = done(&with(&words, &["--force"]));
            if let Some(left) = left {
                found += 1;
                let said = format!("{left}` is removed: a killed process had left it");
                assert!(ran.stderr.contains(&said), "{}", ran.stderr);
            }
            assert!(contents(&whole) == expected, "{words:?}: kill {round}");
            let mut all = before.clone();
            all.push(out.to_owned());
            all.sort_unstable();
            assert_eq!(names(&workshop.path("")), all, "{words:?}: kill {round}");
        }
        assert!(found > 0, "{words:?}: no kill fell into the writing");
        fs::remove_dir_all(&whole).unwrap();
    }
}
