//! What checkpoints cost: steps without any, checkpoints by themselves, and steps with one written
//! beside each.
//!
//! Prints one line of JSON, in seconds. Writing beside pays where `both` is less than `step` and
//! `save` together.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use ledger::testing::run_spec;
use ledger::{AdamW, Convention, Evaluation, RunSpec, Schedule, Start, Tokens};
use model::backend::{Backend, cpu::Cpu};
use model::decoder::Decoder;
use model::mask::Masks;
use shape::config::ModelConfig;
use text::Corpus;
use train::{Begin, Event, Job, Outcome, train};

#[derive(Parser)]
struct Args {
    /// Any corpus whose vocabulary is not larger than the model's
    #[arg(long)]
    corpus: PathBuf,
    /// Where checkpoints go: the disk that is measured
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    hidden: usize,
    #[arg(long)]
    layers: usize,
    #[arg(long)]
    heads: usize,
    #[arg(long)]
    kv_heads: usize,
    #[arg(long)]
    inner: usize,
    #[arg(long)]
    vocabulary: usize,
    #[arg(long)]
    length: usize,
    #[arg(long)]
    batch: usize,
    #[arg(long, default_value_t = 8)]
    steps: u64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .use_current_thread()
        .build_global()?;
    let corpus = Corpus::open(&args.corpus)?;
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": args.hidden,
        "num_hidden_layers": args.layers,
        "num_attention_heads": args.heads,
        "num_key_value_heads": args.kv_heads,
        "intermediate_size": args.inner,
        "vocab_size": args.vocabulary,
        "max_position_embeddings": args.length,
        "tie_word_embeddings": false,
    });
    let config = ModelConfig::from_json(config.to_string().as_bytes(), "bench".as_ref())?;
    let decoder = Decoder::new(Cpu::<f32>::new(), &config, args.length)?;
    let spec = spec(&args);
    let bench =
        Bench { decoder: &decoder, config: &config, corpus: &corpus, spec: &spec, out: &args.out };
    let (step, _) = bench.run(None, args.steps)?;
    let mut save: Vec<f64> =
        (0..5).map(|_| Ok(bench.run(None, 1)?.1)).collect::<Result<_, Failure>>()?;
    let (both, _) = bench.run(Some(1), args.steps)?;
    save.sort_by(f64::total_cmp);
    let figures = serde_json::json!({
        "step": step, "save": save[save.len() / 2], "both": both,
        "parameters": decoder.layout().elements(), "kernel": decoder.backend().kernel(),
    });
    println!("{figures}");
    Ok(())
}

struct Bench<'a> {
    decoder: &'a Decoder<Cpu<f32>>,
    config: &'a ModelConfig,
    corpus: &'a Corpus,
    spec: &'a RunSpec,
    out: &'a Path,
}

impl Bench<'_> {
    /// The median seconds of a step after the first two, and those of the checkpoint at the end.
    fn run(&self, save_every: Option<u64>, steps: u64) -> Result<(f64, f64), Failure> {
        let backend = self.decoder.backend();
        let mut weights = backend.allocate(self.decoder.layout().elements())?;
        backend.upload(&model::weights::initial(self.config, 1), &mut weights, 0)?;
        let place = |step: u64| self.out.join(format!("checkpoint-{}", step % 3));
        let (masks, stop) = (Masks::default(), AtomicBool::new(false));
        let job = Job {
            spec: self.spec,
            corpus: self.corpus,
            masks: &masks,
            recompute: false,
            save_every,
            best: None,
            first: None,
            limit: None,
            checkpoint: &place,
            earlier: &[],
            keep_end: false,
            is_enough: None,
        };
        let (mut last, mut seconds, mut begun, mut saved) =
            (Instant::now(), Vec::new(), Instant::now(), 0.0);
        let outcome = train(self.decoder, Begin::Weights(weights), &job, &stop, &mut |event| {
            match event {
                Event::Point(point) => {
                    if point.step > 2 {
                        seconds.push(last.elapsed().as_secs_f64());
                    }
                    last = Instant::now();
                    stop.store(point.step >= steps, Ordering::Relaxed);
                }
                Event::Saving { .. } => begun = Instant::now(),
                Event::Saved { .. } => saved = begun.elapsed().as_secs_f64(),
                _ => {}
            }
            Ok(())
        })?;
        assert!(matches!(outcome, Outcome::Interrupted { .. }));
        seconds.sort_by(f64::total_cmp);
        Ok((seconds.get(seconds.len() / 2).copied().unwrap_or(0.0), saved))
    }
}

/// A run far longer than what is timed, evaluated at its end only.
fn spec(args: &Args) -> RunSpec {
    let tokens = Tokens(1 << 40);
    let example = run_spec();
    RunSpec {
        context: args.length,
        batch: args.batch,
        micro_batch: args.batch,
        tokens,
        seed: 1,
        start: Start::Random { config_hash: "bench".into() },
        optimizer: AdamW { learning_rate: 1e-4, ..example.optimizer },
        schedule: Schedule { warmup: Tokens(0), decay: Tokens(0) },
        evaluation: Evaluation {
            points: 1,
            first: tokens,
            convention: Convention::Packed,
            context: args.length,
            stride: args.length,
            tokens: Tokens(64),
        },
        ..run_spec()
    }
}
