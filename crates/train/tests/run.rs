//! Whole runs on a small corpus: the golden curve, threads, interruptions, what goes wrong.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::testing::run_spec;
use ledger::{AdamW, EarlierRun, Evaluation, Point, Precision, RunSpec, Schedule, Start, Tokens};
use model::backend::{Backend, cpu::Cpu};
use model::batch::Batch;
use model::decoder::{Decoder, GradientTarget};
use model::mask::Masks;
use model::testing::Opaque;
use model::weights;
use shape::config::ModelConfig;
use text::{BuildOptions, Corpus, Documents, Reading, TokenizerSource};
use train::{Begin, Error, Event, Job, Outcome, train};

/// Picks one of so many, the same ones every time.
fn picker() -> impl FnMut(usize) -> usize {
    let mut state = 7_u64;
    move |count| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % count
    }
}

/// A few hundred short documents with some grammar to learn.
fn corpus(folder: &Path) -> Corpus {
    let (people, verbs, things) = (
        ["Ada", "Grace", "Emmy", "Sofia"],
        ["found", "lost", "drew", "sold"],
        ["a map", "two keys", "the lamp"],
    );
    let mut pick = picker();
    let documents: Vec<String> = (0..400)
        .map(|_| {
            let person = people[pick(4)];
            (0..3 + pick(4))
                .map(|_| format!("{person} {} {}.", verbs[pick(4)], things[pick(3)]))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let input = folder.join("text.txt");
    fs::write(&input, documents.join("\n\n")).unwrap();
    let out = folder.join("corpus");
    let tokenizer = TokenizerSource::TrainBpe { vocabulary: 280 };
    let options = BuildOptions::new(vec![input], tokenizer, 0.1, out.clone())
        .reading(Reading { documents: Documents::BlankLine, ..Reading::default() });
    text::build(&options, &mut |_| {}).unwrap();
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
        "vocab_size": corpus.info().vocabulary(),
        "max_position_embeddings": 96,
        "tie_word_embeddings": true,
    });
    ModelConfig::from_json(json.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

fn spec(corpus: &Corpus, steps: u64) -> RunSpec {
    let example = run_spec();
    RunSpec {
        series: "qwen2".into(),
        method: "none".into(),
        base: "tiny".into(),
        corpus: corpus.train().hash().into(),
        heldout: corpus.heldout().hash().into(),
        tokenizer: corpus.info().tokenizer().to_owned(),
        context: 70,
        batch: 4,
        micro_batch: 3,
        tokens: Tokens(steps * 280),
        seed: 11,
        start: Start::Random { config_hash: "tiny".into() },
        optimizer: AdamW { learning_rate: 3e-3, ..example.optimizer },
        schedule: Schedule { warmup: Tokens(5 * 280), decay: Tokens(10 * 280) },
        evaluation: Evaluation {
            points: 6,
            first: Tokens(280),
            context: 96,
            stride: 48,
            tokens: Tokens(1000),
            ..example.evaluation
        },
        ..run_spec()
    }
}

struct Ran {
    points: Vec<Point>,
    weights: Vec<f32>,
}

/// Runs to the end on `threads`, stopping after each step of `stops` and going on from the
/// checkpoint.
fn run(corpus: &Corpus, spec: &RunSpec, threads: usize, stops: &[u64]) -> train::Result<Ran> {
    run_with(corpus, spec, threads, stops, false)
}

/// The same, computing blocks again in the backward pass if `recompute`.
fn run_with(
    corpus: &Corpus,
    spec: &RunSpec,
    threads: usize,
    stops: &[u64],
    recompute: bool,
) -> train::Result<Ran> {
    run_on(Cpu::<f32>::with(spec.precision), corpus, spec, threads, stops, recompute)
}

/// The same, on any machine.
fn run_on<B: Backend>(
    machine: B,
    corpus: &Corpus,
    spec: &RunSpec,
    threads: usize,
    stops: &[u64],
    recompute: bool,
) -> train::Result<Ran> {
    let checkpoints = tempfile::tempdir().unwrap();
    let place = |step: u64| checkpoints.path().join(format!("checkpoint-{step}"));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let config = config(corpus);
    let decoder = Decoder::new(machine, &config, 96).unwrap();
    let (backend, len) = (decoder.backend(), decoder.layout().elements());
    let mut first = backend.allocate_weights(len).unwrap();
    backend.upload_weights(&weights::initial(&config, spec.seed), &mut first, 0).unwrap();
    let mut begin = Begin::Weights(first);
    let mut points: Vec<Point> = Vec::new();
    let mut stops = stops.iter();
    loop {
        let stop = AtomicBool::new(false);
        let stop_after = stops.next();
        let mut saved = None;
        let masks = Masks::default();
        let job = Job {
            spec,
            corpus,
            masks: &masks,
            recompute,
            save_every: None,
            best: None,
            first: None,
            limit: None,
            checkpoint: &place,
            earlier: &[],
            keep_end: false,
            is_enough: None,
        };
        let outcome = {
            let mut listener = |event: &Event| {
                match event {
                    Event::Point(point) => {
                        points.push(point.clone());
                        if Some(&point.step) == stop_after {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    Event::Saved { step, path } => saved = Some((*step, path.clone())),
                    _ => {}
                }
                Ok(())
            };
            pool.install(|| train(&decoder, begin, &job, &stop, &mut listener))?
        };
        match outcome {
            Outcome::Finished { weights: last, .. } => {
                let mut weights = vec![0.0; len];
                backend.download_weights(&last, 0, &mut weights).unwrap();
                return Ok(Ran { points, weights });
            }
            Outcome::Interrupted { .. } => {
                let (step, path) = saved.unwrap();
                begin = Begin::Checkpoint { path, step };
            }
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
    for precision in [Precision::F32, Precision::Bf16] {
        let spec = RunSpec { precision, ..spec(&corpus, 50) };
        let (one, two) =
            (run(&corpus, &spec, 1, &[]).unwrap(), run(&corpus, &spec, 2, &[]).unwrap());
        assert_eq!(losses(&one.points), losses(&two.points));
        assert!(one.weights == two.weights, "weights differ between one thread and two");
        assert!(
            one.points[50].eval_loss.unwrap() < 0.5 * one.points[0].eval_loss.unwrap(),
            "it learns nothing"
        );
        golden(&one.points, &Cpu::<f32>::with(precision).kernel());
    }
}

/// Compares points with those recorded for a kernel.
fn golden(points: &[Point], kernel: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/curves")
        .join(format!("{kernel}.jsonl"));
    let lines: String = points
        .iter()
        .map(|point| {
            serde_json::to_string(&Point { tokens_per_second: None, ..point.clone() }).unwrap()
                + "\n"
        })
        .collect();
    if std::env::var_os("REGROW_BLESS").is_some() {
        fs::write(&golden, &lines).unwrap();
    }
    match fs::read_to_string(&golden) {
        Ok(expected) => {
            assert!(
                lines == expected,
                "the curve has changed; it was\n{expected}and is now\n{lines}"
            );
        }
        Err(_) => eprintln!(
            "skipped: the golden curve of kernel `{kernel}`: none is recorded (set REGROW_BLESS=1 to record one)"
        ),
    }
}

#[test]
fn computing_blocks_again_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    for precision in [Precision::F32, Precision::Bf16] {
        let spec = RunSpec { precision, ..spec(&corpus, 16) };
        let kept = run(&corpus, &spec, 2, &[]).unwrap();
        let again = run_with(&corpus, &spec, 2, &[5], true).unwrap();
        assert_eq!(losses(&kept.points), losses(&again.points));
        assert!(kept.weights == again.weights, "weights differ where blocks are computed again");
    }
}

#[test]
fn a_machine_whose_memory_is_closed_trains_stops_and_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let spec = spec(&corpus, 16);
    let here = run(&corpus, &spec, 2, &[]).unwrap();
    let there = run_on(Opaque::<f32>::new(), &corpus, &spec, 2, &[7], false).unwrap();
    assert_eq!(losses(&here.points), losses(&there.points));
    assert!(here.weights == there.weights, "the weights differ");
}

#[test]
fn held_out_losses_do_not_know_the_precision_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let spec = spec(&corpus, 16);
    let full = run(&corpus, &spec, 2, &[]).unwrap();
    let half = run(&corpus, &RunSpec { precision: Precision::Bf16, ..spec }, 2, &[]).unwrap();
    // The same weights before the first step, other ones after it.
    assert_eq!(full.points[0].eval_loss, half.points[0].eval_loss);
    let (full, half) = (full.points[1].eval_loss.unwrap(), half.points[1].eval_loss.unwrap());
    assert!(full != half && (full - half).abs() < 1e-2, "{full} and {half}");
}

#[test]
fn micro_batches_add_up_to_the_whole_batch() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&corpus(folder.path()));
    let decoder = Decoder::new(Cpu::<f64>::new(), &config, 96).unwrap();
    let (backend, len) = (decoder.backend(), decoder.layout().elements());
    let mut values = backend.allocate(len).unwrap();
    backend.upload(&weights::initial(&config, 5), &mut values, 0).unwrap();
    let windows: Vec<Vec<u32>> = (0..6_u32)
        .map(|n| (0..41).map(|i| (i * i * 7 + n * 31) % config.vocab_size() as u32).collect())
        .collect();
    let scale = 1.0 / (6.0 * 40.0);
    // Loss and gradients of the windows, `size` of them at a time.
    let sum = |size: usize, recompute: bool| {
        let mut space = if recompute {
            decoder.recomputing_workspace().unwrap()
        } else {
            decoder.workspace().unwrap()
        };
        let (mut buffer, mut loss) = (backend.allocate(len).unwrap(), 0.0);
        for (index, part) in windows.chunks(size).enumerate() {
            let mut batch = Batch::new();
            part.iter().for_each(|window| batch.push_window(window).unwrap());
            let target = GradientTarget::new(&mut buffer, index > 0);
            loss += decoder.gradients(&values, &batch, scale, target, &mut space).unwrap();
        }
        (loss * scale, buffer)
    };
    let (loss, gradients) = sum(6, false);
    let largest = gradients.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    for (size, recompute) in [(1, false), (2, true), (4, false), (6, true)] {
        let (found, parts) = sum(size, recompute);
        assert!(
            (found - loss).abs() < 1e-6 * loss,
            "micro-batches of {size}: loss {found}, expected {loss}"
        );
        let worst =
            parts.iter().zip(&gradients).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(
            worst < 1e-6 * largest,
            "micro-batches of {size}: a gradient is {worst:e} of {largest:e} away"
        );
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
    let mut announced = Vec::new();
    saving(&corpus, &spec, folder.path(), 1000, (None, None), &mut |event, _| {
        if let Event::SecondEpoch { step } = event {
            announced.push(*step as usize);
        }
    })
    .unwrap();
    let first = ran.points.iter().position(|point| point.repeated).unwrap();
    assert!(ran.points[..first].iter().all(|point| point.epoch.unwrap() <= 1.0));
    assert!(ran.points[first..].iter().all(|point| point.repeated && point.epoch.unwrap() > 1.0));
    assert!(first < ran.points.len() - 1);
    assert_eq!(announced, [first]);
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

/// A run of `steps` steps that saves every so often and lets `listen` hear; its checkpoints are in
/// `folder`.
fn saving(
    corpus: &Corpus,
    spec: &RunSpec,
    folder: &Path,
    save_every: u64,
    (begin, best): (Option<Begin<Cpu<f32>>>, Option<f64>),
    listen: &mut (dyn FnMut(&Event, &AtomicBool) + Send),
) -> train::Result<Outcome<Cpu<f32>>> {
    let config = config(corpus);
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, 96).unwrap();
    let place = |step: u64| folder.join(format!("checkpoint-{step}"));
    let masks = Masks::default();
    let job = Job {
        spec,
        corpus,
        masks: &masks,
        recompute: false,
        save_every: Some(save_every),
        best,
        first: None,
        limit: None,
        checkpoint: &place,
        earlier: &[],
        keep_end: false,
        is_enough: None,
    };
    let begin = begin.unwrap_or_else(|| {
        let mut first = decoder.backend().allocate(decoder.layout().elements()).unwrap();
        decoder.backend().upload(&weights::initial(&config, 1), &mut first, 0).unwrap();
        Begin::Weights(first)
    });
    let stop = AtomicBool::new(false);
    train(&decoder, begin, &job, &stop, &mut |event| {
        listen(event, &stop);
        Ok(())
    })
}

#[test]
fn a_corpus_that_somebody_writes_into_stops_the_run() {
    for part in ["train", "heldout"] {
        let folder = tempfile::tempdir().unwrap();
        let corpus = corpus(folder.path());
        // The clock of a file system has ticks: the file must be older than one.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let path = folder.path().join(format!("corpus/{part}.bin"));
        let whole = fs::read(&path).unwrap();
        let mut points = 0;
        let mut listen = |event: &Event, _: &AtomicBool| {
            if matches!(event, Event::Point(_)) {
                points += 1;
                if points == 2 {
                    // The same bytes: what counts is that somebody wrote.
                    fs::write(&path, &whole).unwrap();
                }
            }
        };
        let (spec, begin) = (spec(&corpus, 20), (None, None));
        let ran = saving(&corpus, &spec, folder.path(), 1000, begin, &mut listen);
        let error = ran.err().unwrap().to_string();
        let said = format!("{part}.bin` was changed while it was read");
        assert!(error.contains(&said) && points < 20, "{points}: {error}");
    }
}

const FILES: [&str; 4] = [
    "weights.safetensors",
    "first_moments.safetensors",
    "second_moments.safetensors",
    "state.json",
];

#[test]
fn every_damage_to_a_checkpoint_is_noticed_and_one_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let mut spec = spec(&corpus, 4);
    spec.schedule = Schedule { warmup: Tokens(0), decay: Tokens(0) };
    saving(&corpus, &spec, folder.path(), 2, (None, None), &mut |_, _| {}).unwrap();

    let path = folder.path().join("checkpoint-2");
    let again = |spec: &RunSpec, step| {
        // Nothing is written over it, and nothing beside it.
        let elsewhere = tempfile::tempdir().unwrap();
        let begin = Begin::Checkpoint { path: path.clone(), step };
        let ran =
            saving(&corpus, spec, elsewhere.path(), 100, (Some(begin), None), &mut |_, stop| {
                stop.store(true, Ordering::Relaxed);
            });
        match ran {
            Ok(_) => None,
            Err(Error::Checkpoint { reason, .. }) => Some(reason),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(again(&spec, 2), None);
    let other = RunSpec { seed: spec.seed + 1, ..spec.clone() };
    let message = again(&other, 2).unwrap();
    assert!(message.contains(&spec.id()) && message.contains(&other.id()), "{message}");
    assert!(again(&spec, 3).unwrap().contains("after step 2, expected 3"));

    for name in FILES {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        let damaged = |bytes: &[u8], what: &str| {
            fs::write(&file, bytes).unwrap();
            let message =
                again(&spec, 2).unwrap_or_else(|| panic!("{what} of `{name}` is not noticed"));
            assert!(message.contains(name), "{what}: {message}");
        };
        damaged(&whole[..whole.len() - 1], "a missing end");
        damaged(&whole[..whole.len() / 2], "a missing half");
        damaged(&[], "a missing all");
        damaged(&[&whole[..], b" "].concat(), "a byte too many");
        // Every bit of the state, some of the rest.
        let every = if name == "state.json" { 1 } else { whole.len() / 12 };
        for at in (0..whole.len()).step_by(every) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            damaged(&bytes, &format!("bit {} of byte {at}", at % 8));
        }
        fs::remove_file(&file).unwrap();
        assert!(again(&spec, 2).unwrap().contains(name));
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(again(&spec, 2), None);
}

#[test]
fn a_checkpoint_written_beside_the_next_step_is_the_one_written_at_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let spec = spec(&corpus, 50);
    let (beside, stopped) = (folder.path().join("beside"), folder.path().join("stopped"));
    let mut heard = Vec::new();
    saving(&corpus, &spec, &beside, 7, (None, None), &mut |event, _| match event {
        Event::Point(point) => heard.push(("point", point.step)),
        Event::Saving { step } => heard.push(("saving", *step)),
        Event::Saved { step, .. } => heard.push(("saved", *step)),
        _ => {}
    })
    .unwrap();
    saving(&corpus, &spec, &stopped, 100, (None, None), &mut |event, stop| {
        stop.store(matches!(event, Event::Point(point) if point.step == 7), Ordering::Relaxed);
    })
    .unwrap();
    for name in &FILES[..3] {
        let read = |folder: &Path| fs::read(folder.join("checkpoint-7").join(name)).unwrap();
        assert!(read(&beside) == read(&stopped), "`{name}` differs");
    }
    // In place before the next step is told of.
    let at = heard.iter().position(|&event| event == ("saving", 7)).unwrap();
    assert_eq!(heard[at - 1..at + 3], [("point", 7), ("saving", 7), ("saved", 7), ("point", 8)]);
}

#[test]
fn every_best_so_far_is_saved_also_after_going_on() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    // So fast that the loss also rises.
    let mut spec = spec(&corpus, 50);
    spec.optimizer.learning_rate = 0.05;
    spec.evaluation.points = 50;
    let run =
        |begin: Option<Begin<Cpu<f32>>>, best: Option<f64>, until: u64| {
            let (mut least, mut expected, mut saved, mut points) =
                (best, Vec::new(), Vec::new(), 0);
            saving(&corpus, &spec, folder.path(), 1000, (begin, best), &mut |event, stop| {
                match event {
                    Event::Point(point) => {
                        if let Some(loss) = point.eval_loss {
                            points += 1;
                            if least.is_none_or(|least| loss < least) {
                                least = Some(loss);
                                expected.push(point.step);
                            }
                        }
                        stop.store(point.step == until, Ordering::Relaxed);
                    }
                    Event::Saved { step, .. } => saved.push(*step),
                    _ => {}
                }
            })
            .unwrap();
            (least, expected, saved, points)
        };
    let (least, expected, saved, _) = run(None, None, 20);
    // The state before the first step is the best at first, and needs no checkpoint; the stop does.
    assert_eq!((expected[0], saved.last()), (0, Some(&20)));
    let without_stop = |saved: Vec<u64>| -> Vec<u64> {
        saved.into_iter().filter(|step| *step != 20 || expected.contains(step)).collect()
    };
    assert_eq!(without_stop(saved), expected[1..]);
    let begin = Begin::Checkpoint { path: folder.path().join("checkpoint-20"), step: 20 };
    let (_, expected, mut saved, points) = run(Some(begin), least, 1000);
    // The last step needs none: its weights are the result.
    saved.extend(expected.last().filter(|&&step| step == 50));
    assert_eq!(saved, expected);
    assert!(!expected.is_empty() && expected.len() < points, "{expected:?}");
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

#[test]
fn masked_weights_stay_zero_and_so_do_their_moments() {
    use model::folder::{FolderWriter, ModelFolder};
    use model::safetensors::{Dtype, Planned, SafeTensors};
    use model::sparsity::Sparsity;

    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let config = config(&corpus);
    // A 2:4 model: of every four inputs of these tensors, two are zero, which two differs.
    let listed = |name: &str| name.ends_with("_proj.weight");
    let made = folder.path().join("model");
    let tensors = shape::tensors::tensors(&config);
    let plan = tensors.iter().map(|spec| Planned::new(spec, Dtype::F32)).collect();
    let existing = disk::Existing::Refuse;
    let mut writer =
        FolderWriter::create(&made, existing, &config.to_raw(), plan, u64::MAX).unwrap();
    let mut pick = picker();
    let mut sparse = std::collections::BTreeMap::new();
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, 96).unwrap();
    let initial = weights::initial(&config, 5);
    for spec in &tensors {
        let offset =
            decoder.layout().tensors().iter().find(|(found, _)| found.name == spec.name).unwrap().1;
        let mut values = initial[offset..offset + spec.len()].to_vec();
        if listed(&spec.name) {
            sparse.insert(spec.name.clone(), serde_json::json!({"pattern": "2:4"}));
            for group in values.chunks_mut(4) {
                let (one, two) = (pick(4), pick(3));
                group[one] = 0.0;
                group[(one + 1 + two) % 4] = 0.0;
            }
        }
        writer.write_f32(&values).unwrap();
    }
    let list = serde_json::json!({"format": 1, "tensors": sparse});
    writer.add_file("sparsity.json", list.to_string().as_bytes()).unwrap();
    writer.commit().unwrap();
    assert_eq!(Sparsity::of(&made).unwrap().tensors.len(), 3 * 7);

    let model = ModelFolder::open(&made).unwrap();
    let masks = Masks::of(&model).unwrap();
    let first = weights::load(&model, decoder.backend()).unwrap();
    let mut spec = spec(&corpus, 30);
    spec.optimizer.weight_decay = 0.3;
    let place = |step: u64| folder.path().join(format!("checkpoint-{step}"));
    let job = Job {
        spec: &spec,
        corpus: &corpus,
        masks: &masks,
        recompute: false,
        save_every: Some(29),
        best: None,
        first: None,
        limit: None,
        checkpoint: &place,
        earlier: &[],
        keep_end: false,
        is_enough: None,
    };
    let stop = AtomicBool::new(false);
    let begin = Begin::Weights(first.clone());
    let Outcome::Finished { weights: last, .. } =
        train(&decoder, begin, &job, &stop, &mut |_| Ok(())).unwrap()
    else {
        panic!("it was stopped")
    };
    let read = |name: &str, tensor: &str| -> Vec<f32> {
        let file = SafeTensors::open(&place(29).join(name)).unwrap();
        let view = file.tensor(tensor).unwrap();
        let mut values = vec![0.0; view.shape.iter().product()];
        view.to_f32(&mut values).unwrap();
        values
    };
    let (mut masked, mut moved) = (0, 0);
    for (tensor, offset) in decoder.layout().tensors() {
        let range = *offset..offset + tensor.len();
        let [weights, means, squares] =
            [FILES[0], FILES[1], FILES[2]].map(|name| read(name, &tensor.name));
        for at in 0..tensor.len() {
            let was_zero = listed(&tensor.name) && first[range.start + at].to_bits() == 0;
            if was_zero {
                masked += 1;
                let found = [weights[at], means[at], squares[at], last[range.start + at]];
                assert!(
                    found.iter().all(|value| value.to_bits() == 0),
                    "`{}` {at}: {found:?}",
                    tensor.name
                );
            } else if listed(&tensor.name) {
                moved += usize::from(
                    last[range.start + at] != first[range.start + at] && squares[at] > 0.0,
                );
            }
        }
        if listed(&tensor.name) {
            let zeros = |group: &[f32]| group.iter().filter(|&&weight| weight == 0.0).count();
            assert!(last[range].chunks(4).all(|group| zeros(group) == 2), "`{}`", tensor.name);
        }
    }
    // All the others were trained.
    assert!(masked > 10_000 && moved == masked, "{masked} masked, {moved} moved");
}

/// Trains into checkpoints of `folder` and keeps the end. `enough` is the step that is.
fn kept(
    corpus: &Corpus,
    spec: &RunSpec,
    folder: &Path,
    (begin, earlier): (Option<u64>, &[EarlierRun]),
    enough: Option<u64>,
) -> train::Result<(Ran, u64)> {
    let config = config(corpus);
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, 96).unwrap();
    let place = |step: u64| folder.join(format!("checkpoint-{step}"));
    let masks = Masks::default();
    let is_enough = |step: u64| Ok(Some(step) == enough);
    let job = Job {
        spec,
        corpus,
        masks: &masks,
        recompute: false,
        save_every: None,
        best: None,
        first: None,
        limit: None,
        checkpoint: &place,
        earlier,
        keep_end: true,
        is_enough: Some(&is_enough),
    };
    let len = decoder.layout().elements();
    let begin = match begin {
        Some(step) => Begin::Checkpoint { path: place(step), step },
        None => {
            let mut first = decoder.backend().allocate(len).unwrap();
            decoder.backend().upload(&weights::initial(&config, 1), &mut first, 0).unwrap();
            Begin::Weights(first)
        }
    };
    let (stop, mut points) = (AtomicBool::new(false), Vec::new());
    let outcome = train(&decoder, begin, &job, &stop, &mut |event| {
        if let Event::Point(point) = event {
            points.push(point.clone());
        }
        Ok(())
    })?;
    let Outcome::Finished { weights, steps, .. } = outcome else { panic!("it was stopped") };
    let mut last = vec![0.0; len];
    decoder.backend().download_weights(&weights, 0, &mut last).unwrap();
    Ok((Ran { points, weights: last }, steps))
}

/// Of this many steps, at a constant rate after the warm-up.
fn constant(corpus: &Corpus, steps: u64) -> RunSpec {
    let schedule = Schedule { warmup: Tokens(5 * 280), decay: Tokens(0) };
    RunSpec { schedule, ..spec(corpus, steps) }
}

#[test]
fn an_extended_run_has_the_weights_and_losses_of_the_longer_one() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let place = |name: &str| folder.path().join(name);
    let (short, long) = (constant(&corpus, 20), constant(&corpus, 50));
    let (whole, _) = kept(&corpus, &long, &place("whole"), (None, &[]), None).unwrap();
    let (first, _) = kept(&corpus, &short, &place("run"), (None, &[]), None).unwrap();
    let earlier = [EarlierRun { id: short.id(), tokens: short.tokens, steps: 20 }];
    // Without what it was before, its checkpoint is another run's.
    let other = kept(&corpus, &long, &place("run"), (Some(20), &[]), None);
    let Err(Error::Checkpoint { reason, .. }) = other else { panic!("it was taken") };
    assert!(reason.contains("it belongs to run "), "{reason}");
    let (rest, steps) = kept(&corpus, &long, &place("run"), (Some(20), &earlier), None).unwrap();
    assert_eq!(steps, 50);
    assert!(rest.weights == whole.weights, "weights differ");
    let points = [first.points, rest.points].concat();
    let training = |points: &[Point]| losses(points).iter().map(|(loss, _)| *loss).collect();
    let both: [Vec<Option<u64>>; 2] = [training(&points), training(&whole.points)];
    assert_eq!(both[0], both[1]);
    // Where both were evaluated, they were alike; and both are at the end.
    let mut common = 0;
    for (one, other) in points.iter().zip(&whole.points) {
        if let (Some(one), Some(other)) = (one.eval_loss, other.eval_loss) {
            assert_eq!(one.to_bits(), other.to_bits());
            common += 1;
        }
    }
    let evaluated: Vec<u64> =
        points.iter().filter(|point| point.eval_loss.is_some()).map(|point| point.step).collect();
    assert_eq!(evaluated[1..], train::milestones::extended(&long, &earlier));
    assert!(common >= 3 && evaluated.contains(&20) && evaluated.contains(&50), "{evaluated:?}");
    // From the end it goes on again, and its first checkpoint still counts.
    let longer = constant(&corpus, 55);
    let again = [&earlier[..], &[EarlierRun { id: long.id(), tokens: long.tokens, steps: 50 }]];
    for begin in [20, 50] {
        kept(&corpus, &longer, &place("run"), (Some(begin), &again.concat()), None).unwrap();
    }
}

#[test]
fn a_run_for_which_an_evaluation_is_enough_ends_there_as_the_longer_run_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path());
    let place = |name: &str| folder.path().join(name);
    let spec = constant(&corpus, 50);
    let evaluations = train::milestones::evaluation_steps(&spec);
    let enough = evaluations[evaluations.len() - 2];
    let (whole, _) = kept(&corpus, &spec, &place("whole"), (None, &[]), None).unwrap();
    let (short, steps) = kept(&corpus, &spec, &place("run"), (None, &[]), Some(enough)).unwrap();
    assert_eq!((steps, short.points.len() as u64), (enough, enough + 1));
    assert_eq!(losses(&short.points), losses(&whole.points)[..=enough as usize]);
    // Killed before its end was written, it ends there again.
    let (again, steps) =
        kept(&corpus, &spec, &place("run"), (Some(enough), &[]), Some(enough)).unwrap();
    assert!(steps == enough && again.points.is_empty() && again.weights == short.weights);
    // Not asked again about the step where it ended, it goes on to its own end.
    let earlier = [EarlierRun { id: spec.id(), tokens: spec.tokens, steps: enough }];
    let (rest, steps) =
        kept(&corpus, &spec, &place("run"), (Some(enough), &earlier), Some(enough)).unwrap();
    assert!(steps == 50 && rest.weights == whole.weights);
    assert_eq!(losses(&rest.points), losses(&whole.points)[enough as usize + 1..]);
}
