//! Whole runs on a small corpus: the golden curve, threads, interruptions, what goes wrong.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{AdamW, Convention, Evaluation, Point, Precision, RunSpec, Schedule, Start, Tokens};
use model::backend::{Backend, cpu::Cpu};
use model::config::ModelConfig;
use model::decoder::Decoder;
use model::mask::Masks;
use model::weights;
use text::{Corpus, Documents, Reading, Settings, TokenizerSource};
use train::{Begin, Error, Event, Job, Outcome, train};

/// A few hundred short documents with some grammar to learn.
fn corpus(folder: &Path) -> Corpus {
    let (people, verbs, things) = (
        ["Ada", "Grace", "Emmy", "Sofia"],
        ["found", "lost", "drew", "sold"],
        ["a map", "two keys", "the lamp"],
    );
    let mut state = 7_u64;
    let mut pick = |count: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % count
    };
    let documents: Vec<String> = (0..400)
        .map(|_| {
            let person = people[pick(4)];
            (0..3 + pick(4))
                .map(|_| format!("{person} {} {}. ", verbs[pick(4)], things[pick(3)]))
                .collect::<String>()
        })
        .collect();
    let input = folder.join("text.txt");
    fs::write(&input, documents.join("\n\n")).unwrap();
    let out = folder.join("corpus");
    let settings = Settings {
        inputs: vec![input],
        reading: Reading { documents: Documents::BlankLine, ..Reading::default() },
        tokenizer: TokenizerSource::TrainBpe { vocabulary: 280 },
        begin_token: None,
        heldout_share: 0.1,
        out: out.clone(),
        existing: disk::Existing::Refuse,
    };
    text::build(&settings, &mut |_| {}).unwrap();
    Corpus::open(&out).unwrap()
}

fn config(corpus: &Corpus) -> ModelConfig {
    let json = serde_json::json!({
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 72,
        "vocab_size": corpus.info().vocabulary,
        "max_position_embeddings": 96,
        "tie_word_embeddings": true,
    });
    ModelConfig::from_json(json.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

fn spec(corpus: &Corpus, steps: u64) -> RunSpec {
    RunSpec {
        format: RunSpec::FORMAT,
        series: "qwen2".into(),
        method: "none".into(),
        base: "tiny".into(),
        corpus: corpus.train().hash().into(),
        heldout: corpus.heldout().hash().into(),
        tokenizer: corpus.info().tokenizer.clone(),
        context: 70,
        batch: 4,
        micro_batch: 3,
        tokens: Tokens(steps * 280),
        seed: 11,
        precision: Precision::F32,
        start: Start::Random { config_hash: "tiny".into() },
        optimizer: AdamW {
            learning_rate: 3e-3,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.1,
            clip_norm: 1.0,
        },
        schedule: Schedule { warmup: Tokens(5 * 280), decay: Tokens(10 * 280) },
        evaluation: Evaluation {
            points: 6,
            first: Tokens(280),
            convention: Convention::Documents,
            context: 96,
            stride: 48,
            tokens: Tokens(1000),
        },
    }
}

struct Ran {
    points: Vec<Point>,
    weights: Vec<f32>,
}

/// Runs to the end on `threads`, stopping after each step of `stops` and going on from the checkpoint.
fn run(corpus: &Corpus, spec: &RunSpec, threads: usize, stops: &[u64]) -> train::Result<Ran> {
    let checkpoints = tempfile::tempdir().unwrap();
    let place = |step: u64| checkpoints.path().join(format!("checkpoint-{step}"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let config = config(corpus);
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, 96).unwrap();
    let mut first = decoder.backend().allocate(decoder.layout().len).unwrap();
    decoder.backend().upload(&weights::initial(&config, spec.seed), &mut first, 0).unwrap();
    let mut begin = Begin::Weights(first);
    let mut points: Vec<Point> = Vec::new();
    let mut stops = stops.iter();
    loop {
        let stop = AtomicBool::new(false);
        let stop_after = stops.next();
        let mut saved = None;
        let masks = Masks::default();
        let job = Job { spec, corpus, masks: &masks, save_every: None, checkpoint: &place };
        let outcome = {
            let mut listener = |event: &Event| {
                match event {
                    Event::Point(point) => {
                        points.push(point.clone());
                        if Some(&point.step) == stop_after {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    Event::Saved { path, .. } => saved = Some(path.clone()),
                    _ => {}
                }
                Ok(())
            };
            pool.install(|| train(&decoder, begin, &job, &stop, &mut listener))?
        };
        match outcome {
            Outcome::Finished { weights, .. } => return Ok(Ran { points, weights }),
            Outcome::Interrupted { .. } => begin = Begin::Checkpoint(saved.unwrap()),
        }
    }
}

fn losses(points: &[Point]) -> Vec<(Option<u64>, Option<u64>)> {
    points.iter().map(|p| (p.loss.map(f64::to_bits), p.eval_loss.map(f64::to_bits))).collect()
}

#[test]
fn fifty_steps_give_the_golden_curve_on_one_thread_and_on_two() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let spec = spec(&corpus, 50);
    let (one, two) = (run(&corpus, &spec, 1, &[]).unwrap(), run(&corpus, &spec, 2, &[]).unwrap());
    assert_eq!(losses(&one.points), losses(&two.points));
    assert!(one.weights == two.weights, "weights differ between one thread and two");
    assert!(one.points[50].eval_loss.unwrap() < 0.5 * one.points[0].eval_loss.unwrap(), "it learns nothing");

    let kernel = Cpu::<f32>::new().kernel();
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/curves").join(format!("{kernel}.jsonl"));
    let lines: String = one
        .points
        .iter()
        .map(|point| {
            serde_json::to_string(&Point { tokens_per_second: None, ..point.clone() }).unwrap() + "\n"
        })
        .collect();
    if std::env::var_os("REGROW_BLESS").is_some() {
        fs::write(&golden, &lines).unwrap();
    }
    match fs::read_to_string(&golden) {
        Ok(expected) => {
            assert!(lines == expected, "the curve has changed; it was\n{expected}and is now\n{lines}");
        }
        Err(_) => eprintln!(
            "skipped: the golden curve of kernel `{kernel}`: none is recorded (set REGROW_BLESS=1 to record one)"
        ),
    }
}

#[test]
fn a_run_stopped_and_resumed_at_five_moments_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let spec = spec(&corpus, 50);
    let alone = run(&corpus, &spec, 2, &[]).unwrap();
    let resumed = run(&corpus, &spec, 1, &[0, 1, 17, 36, 49]).unwrap();
    assert_eq!(losses(&alone.points), losses(&resumed.points));
    assert!(alone.weights == resumed.weights, "weights differ after resuming");
}

#[test]
fn a_second_epoch_is_announced_once_and_marked_on_every_later_point() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 1);
    let windows = (corpus.train().tokens() - 1) / spec.context as u64;
    let steps = windows / spec.batch as u64 + 4;
    spec.tokens = Tokens(steps * 280);
    let ran = run(&corpus, &spec, 2, &[]).unwrap();
    let first = ran.points.iter().position(|point| point.repeated).unwrap();
    assert!(ran.points[..first].iter().all(|point| point.epoch <= 1.0));
    assert!(ran.points[first..].iter().all(|point| point.repeated && point.epoch > 1.0));
    assert!(first < ran.points.len() - 1);
}

#[test]
fn a_loss_that_is_not_a_number_names_step_rate_and_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 50);
    spec.optimizer = AdamW { learning_rate: 1e30, weight_decay: 0.0, ..spec.optimizer };
    spec.schedule = Schedule { warmup: Tokens(0), decay: Tokens(0) };
    let Err(error) = run(&corpus, &spec, 2, &[]) else { panic!("it went on") };
    let Error::NotFinite { step, learning_rate, ref tensor, .. } = error else { panic!("{error}") };
    assert!(step >= 1 && learning_rate == 1e30 && !tensor.is_empty(), "{error}");
}

#[test]
fn a_damaged_checkpoint_and_one_of_another_run_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 4);
    spec.schedule = Schedule { warmup: Tokens(0), decay: Tokens(0) };
    let config = config(&corpus);
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, 96).unwrap();
    let place = |step: u64| folder.path().join(format!("checkpoint-{step}"));
    let masks = Masks::default();
    let job = Job { spec: &spec, corpus: &corpus, masks: &masks, save_every: Some(2), checkpoint: &place };
    let mut first = decoder.backend().allocate(decoder.layout().len).unwrap();
    decoder.backend().upload(&weights::initial(&config, 1), &mut first, 0).unwrap();
    let stop = AtomicBool::new(false);
    train(&decoder, Begin::Weights(first), &job, &stop, &mut |_| Ok(())).unwrap();

    let again = |job: &Job<'_>| {
        let begin = Begin::<Cpu<f32>>::Checkpoint(place(2));
        train(&decoder, begin, job, &stop, &mut |_| Ok(())).err().map(|error| error.to_string())
    };
    assert_eq!(again(&job), None);
    let mut other = spec.clone();
    other.seed += 1;
    let message = again(&Job { spec: &other, ..job }).unwrap();
    assert!(message.contains(&spec.id()) && message.contains(&other.id()), "{message}");

    let file = place(2).join("first_moments.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let message = again(&job).unwrap();
    assert!(message.contains("first_moments.safetensors") && message.contains("SHA-256"), "{message}");
}

#[test]
fn a_corpus_shorter_than_one_context_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 20);
    spec.context = corpus.train().tokens() as usize;
    let Err(error) = run(&corpus, &spec, 1, &[]) else { panic!("it went on") };
    assert!(matches!(error, Error::ShortCorpus { .. }), "{error}");
}

#[test]
fn weights_that_overflow_before_the_loss_does_are_named_when_they_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 50);
    spec.optimizer = AdamW { learning_rate: 3e38, weight_decay: 0.0, ..spec.optimizer };
    spec.schedule = Schedule { warmup: Tokens(0), decay: Tokens(0) };
    spec.evaluation = Evaluation { points: 1, first: Tokens(50 * 280), ..spec.evaluation };
    // Stopped after the first step, before anything looks at the weights again.
    let Err(error) = run(&corpus, &spec, 2, &[1]) else { panic!("it went on") };
    let Error::NotFinite { step, learning_rate, .. } = error else { panic!("{error}") };
    assert!(step == 1 && learning_rate == 3e38, "{error}");
}
