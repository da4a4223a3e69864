//! Learning from a teacher and from its cache, through the library: the same bits whatever happens
//! on the way, the layout of a cache, and what is refused.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::fs;
use std::path::PathBuf;

use regrow::disk::sha256;
use regrow::heal::{Ended, HealOptions, RunMode, StartingPoint, heal};
use regrow::ledger::{Convention, Point};
use regrow::model::batch::Batch;
use regrow::model::decoder::Decoder;
use regrow::model::folder::ModelFolder;
use regrow::text::{BuildOptions, Corpus, Documents, Reading, TokenizerSource};
use regrow::{Count, ErrorKind, Event, Recipe, Silent, Stop, Taught, TeachOptions, teach};
use tempfile::TempDir;

/// Tokens of a training window.
const CONTEXT: usize = 32;

/// A corpus, and a teacher that was trained on it.
struct School {
    folder: TempDir,
}

impl School {
    fn new() -> Self {
        let school = Self { folder: tempfile::tempdir().unwrap() };
        school.corpus("corpus", 280, "found");
        school.config("teacher.json", 280, 3);
        school.config("student.json", 280, 1);
        school.train("base", "teacher.json", "tokens = 8000\n", RunMode::New);
        school
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A corpus of short documents in which somebody `verb`s things.
    fn corpus(&self, name: &str, vocabulary: usize, verb: &str) {
        let mut state = 7_u64;
        let mut pick = |words: &[&'static str]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            words[(state >> 33) as usize % words.len()]
        };
        let documents: Vec<String> = (0..300)
            .map(|_| {
                let person = pick(&["Ada", "Grace", "Emmy", "Sofia"]);
                let sentence = |thing: &str| format!("{person} {verb} {thing}.");
                let things = ["a map", "two keys", "the lamp", "ten eggs"];
                [pick(&things), pick(&things), pick(&things)].map(sentence).join(" ")
            })
            .collect();
        let input = self.path(&format!("{name}.txt"));
        fs::write(&input, documents.join("\n\n")).unwrap();
        let tokenizer = TokenizerSource::TrainBpe { vocabulary };
        let options = BuildOptions::new(vec![input], tokenizer, 0.1, self.path(name))
            .reading(Reading { documents: Documents::BlankLine, ..Reading::default() });
        regrow::text::build(&options, &mut |_| {}).unwrap();
    }

    fn config(&self, name: &str, vocabulary: usize, blocks: usize) {
        let config = format!(
            r#"{{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
            "num_hidden_layers": {blocks}, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 80, "vocab_size": {vocabulary}, "max_position_embeddings": 96,
            "tie_word_embeddings": true}}"#
        );
        fs::write(self.path(name), config).unwrap();
    }

    fn options(&self, config: &str, keys: &str) -> HealOptions {
        let recipe: Recipe = format!(
            "format = 1\ncontext = {CONTEXT}\nbatch = 8\nmicro_batch = 3\nlearning_rate = 3e-3\neval_points = 3\n\
             eval_tokens = 600\nsave_every = 1000\n{keys}"
        )
        .parse()
        .unwrap();
        HealOptions::new(StartingPoint::Random(self.path(config)), self.path("corpus"), recipe)
    }

    fn train(&self, run: &str, config: &str, keys: &str, mode: RunMode) -> Ended {
        let options = self.options(config, keys).mode(mode);
        heal(&options, self.path(run), &Stop::new(), &mut Silent).unwrap()
    }

    /// The keys of a run against a teacher.
    fn taught(&self, teacher: &str, more: &str) -> String {
        format!(
            "tokens = 4000\nobjective = \"distil\"\nteacher = \"{}\"\n{more}",
            self.path(teacher).display()
        )
    }

    /// Why a run against a teacher is refused.
    fn refused(&self, teacher: &str, more: &str) -> String {
        let options = self.options("student.json", &self.taught(teacher, more));
        let error = heal(&options, self.path("refused"), &Stop::new(), &mut Silent).unwrap_err();
        assert!(!self.path("refused").exists());
        format!("{error:#}")
    }

    fn lecture(&self) -> TeachOptions {
        TeachOptions::new(self.path("base/model"), self.path("corpus"), 20)
            .context(Some(Count(CONTEXT as u64)))
            .evaluation(Convention::Documents, Some(Count(600)), None, None)
    }

    fn teach(&self, options: &TeachOptions, name: &str) -> Taught {
        teach(options, &self.path(name), false, &Stop::new(), &mut Silent).unwrap()
    }

    fn points(&self, run: &str) -> Vec<Point> {
        let lines = fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model/model.safetensors")).unwrap()
    }
}

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn a_run_against_a_teacher_gives_the_same_bits_on_any_threads_and_after_interruptions() {
    let school = School::new();
    school.teach(&school.lecture().temperatures(&[2.0]), "cache");
    let runs = [
        ("model", "base/model", ""),
        ("bf16", "base/model", "precision = \"bf16\"\n"),
        ("cached", "cache", "temperature = 2.0\n"),
    ];
    for (name, teacher, more) in runs {
        let keys = school.taught(teacher, more);
        let (whole, stopped) = (format!("{name}-whole"), format!("{name}-stopped"));
        let ended = on_threads(1, || school.train(&whole, "student.json", &keys, RunMode::New));
        assert!(ended.is_done());
        // Stopped again and again, and taken up on another number of threads.
        let part = || {
            let stop = Stop::new();
            let mut steps = 0;
            let mut observer = |event: &Event<'_>| {
                if let Event::Measured(point) = event {
                    steps += u64::from(point.step > 0);
                    if steps == 4 {
                        stop.request();
                    }
                }
            };
            let options = school.options("student.json", &keys).mode(RunMode::Resume);
            heal(&options, school.path(&stopped), &stop, &mut observer).unwrap().is_done()
        };
        let interruptions = (0..100).take_while(|_| !on_threads(2, part)).count();
        assert!(interruptions >= 3, "{interruptions}");
        assert_eq!(school.weights(&whole), school.weights(&stopped), "{name}");
        let losses = |run: &str| {
            let of = |point: Point| (point.step, point.loss, point.eval_loss, point.eval_kl);
            school.points(run).into_iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(losses(&whole), losses(&stopped), "{name}");
        let divergences: Vec<f64> =
            school.points(&whole).iter().filter_map(|point| point.eval_kl).collect();
        let (first, last) = (divergences[0], divergences[divergences.len() - 1]);
        assert!(0.0 < last && last < 0.8 * first, "{name}: {divergences:?}");
    }
}

#[test]
fn a_run_against_a_teacher_is_extended_to_the_bits_of_the_longer_one() {
    let school = School::new();
    school.teach(&school.lecture(), "cache");
    for (name, teacher) in [("model", "base/model"), ("cached", "cache")] {
        let longer = school.taught(teacher, "warmup = 500\neval_first = 256\n");
        let shorter = longer.replace("tokens = 4000", "tokens = 2000");
        let (whole, run) = (format!("{name}-whole"), format!("{name}-extended"));
        school.train(&whole, "student.json", &longer, RunMode::New);
        let heal = |keys: &str, mode: RunMode, keep: bool| {
            let options = school.options("student.json", keys).mode(mode).keep_checkpoint(keep);
            heal(&options, school.path(&run), &Stop::new(), &mut Silent)
        };
        assert!(heal(&shorter, RunMode::New, true).unwrap().is_done());
        let ended = on_threads(2, || heal(&longer, RunMode::Resume, false).unwrap());
        assert!(ended.is_done());
        assert_eq!(ended.folder().record().extended_from().len(), 1);
        assert_eq!(school.weights(&whole), school.weights(&run), "{name}");
        let losses = |run: &str| {
            let of = |point: Point| (point.step, point.loss, point.grad_norm);
            school.points(run).into_iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(losses(&whole), losses(&run), "{name}");
        // The checkpoint was not kept this time.
        let more = longer.replace("tokens = 4000", "tokens = 5000");
        let refused = heal(&more, RunMode::Resume, false).unwrap_err();
        assert_eq!(*refused.kind(), ErrorKind::NoState, "{refused}");
    }
}

#[test]
fn a_cache_of_all_tokens_trains_as_the_teacher_itself_and_one_of_few_says_less() {
    let school = School::new();
    let all = TeachOptions::new(school.path("base/model"), school.path("corpus"), 280);
    let held_out = |options: TeachOptions| {
        options.context(Some(Count(CONTEXT as u64))).evaluation(
            Convention::Documents,
            Some(Count(600)),
            None,
            None,
        )
    };
    let found = school.teach(&held_out(all), "all");
    assert_eq!((found.is_done(), found.row_bytes()), (true, 280 * 4 + 4));
    let few = TeachOptions::new(school.path("base/model"), school.path("corpus"), 2);
    school.teach(&held_out(few), "few");
    let end = |teacher: &str, run: &str, more: &str| {
        school.train(run, "student.json", &school.taught(teacher, more), RunMode::New);
        let last = school.points(run).pop().unwrap();
        (last.eval_loss.unwrap(), last.eval_kl.unwrap())
    };
    let (loss, divergence) = end("base/model", "of-model", "");
    let (loss_all, divergence_all) = end("all", "of-all", "");
    // What is left is the rounding of log-probabilities to f16.
    assert!((loss - loss_all).abs() < 2e-3, "{loss} {loss_all}");
    assert!((divergence - divergence_all).abs() < 2e-3, "{divergence} {divergence_all}");
    let (_, of_few) = end("few", "of-few", "");
    assert!(of_few < divergence, "a divergence of three outcomes is less: {of_few} {divergence}");
    // Text alone, and a mixture of nothing but text, differ by the rounding of sums.
    school.train("text", "student.json", "tokens = 4000\n", RunMode::New);
    let keys = school.taught("base/model", "distil_weight = 0.0\n").replace("distil\"", "mix\"");
    school.train("nothing", "student.json", &keys, RunMode::New);
    let [text, nothing] = ["text", "nothing"].map(|run| school.points(run).pop().unwrap());
    assert!((text.eval_loss.unwrap() - nothing.eval_loss.unwrap()).abs() < 1e-3);
    assert_eq!((text.eval_kl, nothing.eval_kl.is_some()), (None, true));
}

#[test]
fn a_cache_that_was_interrupted_is_gone_on_with_to_the_same_bytes() {
    let school = School::new();
    let options = school.lecture();
    school.teach(&options, "whole");
    let files = |name: &str| {
        let listed = fs::read_dir(school.path(name)).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = listed
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
            .filter(|(name, _)| name != ".lock")
            .map(|(name, path)| (name, fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    // Stopped before the first batch, then in the middle, then gone on with.
    let stop = Stop::new();
    stop.request();
    let stopped = school.path("stopped");
    let found = teach(&options, &stopped, false, &stop, &mut Silent).unwrap();
    assert!(!found.is_done() && !stopped.join("cache.json").exists());
    let error = school.refused("stopped", "");
    assert!(error.contains("is not finished: `cache.json` is missing"), "{error}");
    let stop = Stop::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Progress { .. } = event {
            stop.request();
        }
    };
    assert!(!teach(&options, &stopped, true, &stop, &mut observer).unwrap().is_done());
    assert!(
        on_threads(3, || teach(&options, &stopped, true, &Stop::new(), &mut Silent))
            .unwrap()
            .is_done()
    );
    assert_eq!(files("whole"), files("stopped"));
    // Once more changes nothing, and without `resume` what is there is refused.
    assert!(teach(&options, &stopped, true, &Stop::new(), &mut Silent).unwrap().is_done());
    assert!(teach(&options, &stopped, false, &Stop::new(), &mut Silent).is_err());
    assert_eq!(files("whole"), files("stopped"));
}

#[test]
fn the_layout_is_what_the_documents_say() {
    let school = School::new();
    let found = school.teach(&school.lecture().temperatures(&[2.0]), "cache");
    let corpus = Corpus::open(&school.path("corpus")).unwrap();
    let folder = ModelFolder::open(&school.path("base/model")).unwrap();
    let decoder = Decoder::new(regrow::machine::machine(), folder.config(), CONTEXT).unwrap();
    let weights = regrow::model::weights::load(&folder, &regrow::machine::machine()).unwrap();
    let mut space = decoder.workspace().unwrap();
    let rows = fs::read(school.path("cache/train-00000.rows")).unwrap();
    let length = 20 * (2 + 2) + 2 * 4;
    let (training, _) = found.rows();
    assert_eq!((found.row_bytes(), rows.len() as u64), (length, training * length as u64));
    for window in [0_u64, 5, training / CONTEXT as u64 - 1] {
        let mut tokens = [0; CONTEXT + 1];
        corpus.train().read(window * CONTEXT as u64, &mut tokens).unwrap();
        let mut batch = Batch::new();
        batch.push_window(&tokens).unwrap();
        let logits = decoder.logits(&weights, &batch, 0..CONTEXT, &mut space).unwrap();
        for (i, logits) in logits.chunks(280).enumerate() {
            let row = &rows[(window as usize * CONTEXT + i) * length..][..length];
            let softmax = |temperature: f64| {
                let powers: Vec<f64> =
                    logits.iter().map(|logit| (f64::from(*logit) / temperature).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|power| power / sum).collect::<Vec<f64>>()
            };
            let mut order: Vec<usize> = (0..280).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
            let ids: Vec<usize> = row[..40]
                .chunks(2)
                .map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
                .collect();
            assert_eq!(ids, order[..20], "window {window}, row {i}");
            let p = softmax(1.0);
            for (bytes, &id) in row[40..80].chunks(2).zip(&ids) {
                let stored = f16_of(u16::from_le_bytes([bytes[0], bytes[1]]));
                assert!((stored - p[id].ln()).abs() < 0.005, "{stored} {}", p[id].ln());
            }
            for (place, temperature) in [(0, 1.0), (1, 2.0)] {
                let bytes = &row[80 + 4 * place..][..4];
                let stored = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                let others: f64 = order[20..].iter().map(|&id| softmax(temperature)[id]).sum();
                assert!((f64::from(stored) / others - 1.0).abs() < 1e-4, "{stored} {others}");
            }
        }
    }
}

/// A number of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
fn f16_of(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    match exponent {
        0 => sign * fraction * 2_f64.powi(-14),
        exponent => sign * (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

#[test]
fn a_teacher_with_another_tokenizer_is_refused() {
    let school = School::new();
    school.corpus("other", 280, "sold");
    let keys = "tokens = 4000\n";
    let recipe: Recipe = format!("format = 1\ncontext = {CONTEXT}\n{keys}").parse().unwrap();
    let start = StartingPoint::Random(school.path("teacher.json"));
    let options = HealOptions::new(start, school.path("other"), recipe);
    heal(&options, school.path("foreign"), &Stop::new(), &mut Silent).unwrap();
    let error = school.refused("foreign/model", "");
    assert!(error.contains("tokenizer"), "{error}");
}

#[test]
fn a_teacher_with_another_vocabulary_is_refused() {
    let school = School::new();
    school.config("padded.json", 288, 1);
    school.train("padded", "padded.json", "tokens = 500\n", RunMode::New);
    let error = school.refused("padded/model", "");
    assert!(error.contains("has a vocabulary of 288, expected 280"), "{error}");
    let options = TeachOptions::new(school.path("padded/model"), school.path("corpus"), 20)
        .context(Some(Count(CONTEXT as u64)));
    school.teach(&options, "cache");
    let error = school.refused("cache", "");
    assert!(error.contains("has a vocabulary of 288, expected 280"), "{error}");
}

#[test]
fn a_teacher_with_fewer_tokens_than_are_to_be_kept_is_refused() {
    let school = School::new();
    let options = TeachOptions::new(school.path("base/model"), school.path("corpus"), 281);
    let error =
        teach(&options, &school.path("cache"), false, &Stop::new(), &mut Silent).unwrap_err();
    let said = "`top` is 281, the teacher's vocabulary has 280 tokens, expected at most as many";
    assert_eq!(error.to_string(), said);
    assert!(!school.path("cache").exists());
}

#[test]
fn a_cache_of_another_corpus_is_refused() {
    let school = School::new();
    school.teach(&school.lecture(), "cache");
    // The same tokenizer, so that only the text differs.
    let tokenizer = school.path("corpus/tokenizer.json");
    fs::write(school.path("more.txt"), "Ada found a map.\n\nGrace lost it.\n\n".repeat(200))
        .unwrap();
    let from = TokenizerSource::Load(tokenizer);
    let options = BuildOptions::new(vec![school.path("more.txt")], from, 0.1, school.path("more"))
        .reading(Reading { documents: Documents::BlankLine, ..Reading::default() });
    regrow::text::build(&options, &mut |_| {}).unwrap();
    let keys = school.taught("cache", "");
    let recipe: Recipe = format!("format = 1\ncontext = {CONTEXT}\n{keys}").parse().unwrap();
    let start = StartingPoint::Random(school.path("student.json"));
    let options = HealOptions::new(start, school.path("more"), recipe);
    let error = heal(&options, school.path("refused"), &Stop::new(), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("was made from another training text"), "{error}");
}

#[test]
fn a_cache_of_another_model_is_refused() {
    let school = School::new();
    let options = school.lecture();
    let stop = Stop::new();
    stop.request();
    teach(&options, &school.path("cache"), false, &stop, &mut Silent).unwrap();
    // Another model goes on neither with the beginning of a cache nor with a whole one.
    school.train("second", "teacher.json", "tokens = 500\n", RunMode::New);
    let second = TeachOptions::new(school.path("second/model"), school.path("corpus"), 20)
        .context(Some(Count(CONTEXT as u64)))
        .evaluation(Convention::Documents, Some(Count(600)), None, None);
    let go_on = || {
        let found = teach(&second, &school.path("cache"), true, &Stop::new(), &mut Silent);
        found.unwrap_err().to_string()
    };
    assert!(go_on().contains("holds another cache: `teacher` was"), "{}", go_on());
    teach(&options, &school.path("cache"), true, &Stop::new(), &mut Silent).unwrap();
    assert!(go_on().contains("holds another cache: `teacher` was"), "{}", go_on());
    // Nor does a run that began with another teacher.
    let keys = school.taught("base/model", "");
    let stop = Stop::new();
    stop.request();
    let begin = |keys: &str, stop: &Stop| {
        let options = school.options("student.json", keys).mode(RunMode::Resume);
        heal(&options, school.path("run"), stop, &mut Silent)
    };
    begin(&keys, &stop).unwrap();
    let error = begin(&school.taught("cache", ""), &Stop::new()).unwrap_err().to_string();
    assert!(error.contains("`objective` was distil teacher"), "{error}");
}

#[test]
fn a_cut_cache_is_refused() {
    let school = School::new();
    school.teach(&school.lecture(), "cache");
    let file = school.path("cache/train-00000.rows");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let error = school.refused("cache", "");
    assert!(error.contains("train-00000.rows` has") && error.contains(": it is cut"), "{error}");
    fs::remove_file(&file).unwrap();
    assert!(school.refused("cache", "").contains("train-00000.rows"));
    // As long as it should be, and with another byte.
    let mut spoilt = whole;
    spoilt[100] ^= 1;
    fs::write(&file, &spoilt).unwrap();
    let error = school.refused("cache", "");
    let found = sha256(&file).unwrap().to_string();
    assert!(error.contains(&format!("has SHA-256 {found}")), "{error}");
    // A description that does not describe it.
    let json = school.path("cache/cache.json");
    let text = fs::read_to_string(&json).unwrap();
    for (from, to, said) in [
        ("\"format\": 1", "\"format\": 9", "it has format 9, expected 1"),
        ("\"top\": 20", "\"top\": 0", "`top` is 0"),
        ("\"top\": 20", "\"top\": 21", "expected"),
        ("\"rows\": ", "\"rows\": 99999999999999", "files"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&json, text.replacen(from, to, 1)).unwrap();
        let error = school.refused("cache", "");
        assert!(error.contains(said), "{to}: {error}");
    }
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["rows_per_file"] = 1.into();
    fs::write(&json, value.to_string()).unwrap();
    let error = school.refused("cache", "");
    assert!(error.contains("lists 1 files"), "{error}");
}

#[test]
fn a_cache_of_another_context_or_temperature_is_refused() {
    let school = School::new();
    school.teach(&school.lecture(), "cache");
    let error = school.refused("cache", "temperature = 2.0\n");
    assert!(error.contains("for the temperatures [1.0], the run's `temperature` is 2"), "{error}");
    let options = school.lecture().context(Some(Count(16)));
    school.teach(&options, "short");
    let error = school.refused("short", "");
    assert!(error.contains("for windows of 16 tokens, the run's `context` is 32"), "{error}");
}

#[test]
fn a_weight_outside_zero_to_one_is_refused() {
    let school = School::new();
    for weight in ["-0.1", "1.5", "nan", "inf"] {
        let keys = school.taught("base/model", &format!("distil_weight = {weight}\n"));
        let keys = keys.replace("distil\"", "mix\"");
        let options = school.options("student.json", &keys);
        let error = heal(&options, school.path("refused"), &Stop::new(), &mut Silent).unwrap_err();
        assert!(error.to_string().ends_with("expected 0 to 1"), "{error}");
    }
    let error = school.refused("base/model", "distil_weight = 0.5\n");
    assert!(error.contains("the divergence alone: expected `mix`"), "{error}");
}

#[test]
fn a_temperature_of_zero_is_refused() {
    let school = School::new();
    for temperature in ["0.0", "-1.0", "nan", "inf"] {
        let error = school.refused("base/model", &format!("temperature = {temperature}\n"));
        assert!(error.contains("`temperature` is ") && error.contains("above 0"), "{error}");
    }
    let options = school.lecture().temperatures(&[0.0]);
    let error =
        teach(&options, &school.path("cache"), false, &Stop::new(), &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "`temperature` is 0, expected above 0");
}

#[test]
fn an_objective_and_a_teacher_go_together() {
    let school = School::new();
    let said = |keys: &str| {
        let options = school.options("student.json", keys);
        let error = heal(&options, school.path("refused"), &Stop::new(), &mut Silent).unwrap_err();
        error.to_string()
    };
    let error = said("tokens = 4000\nobjective = \"distil\"\n");
    assert!(error.contains("learns from a teacher, and no `teacher` is given"), "{error}");
    let error = said("tokens = 4000\ntemperature = 2.0\n");
    assert!(error.contains("`temperature` is given, and the objective is `lm`"), "{error}");
    let teacher = school.taught("base/model", "").replace("objective = \"distil\"\n", "");
    assert!(said(&teacher).contains("`teacher` is given, and the objective is `lm`"));
}
