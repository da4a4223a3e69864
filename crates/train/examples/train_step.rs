//! Times training steps of a Llama of a given shape on random text: forward, backward, clipping,
//! AdamW.
//!
//! Prints one line of JSON, which `benches/peers` reads.

use std::time::Instant;

use clap::Parser;
use ledger::{AdamW, Precision};
use model::backend::profiled::{Account, Profiled, Rates, Work};
use model::backend::{Backend, Mixture, cpu::Cpu};
use model::batch::Batch;
use model::decoder::{Decoder, GradientTarget};
use model::lesson::Lesson;
use shape::config::ModelConfig;
use train::Optimizer;

/// Of a step against a teacher.
const TEMPERATURE: f64 = 2.0;

#[derive(Parser)]
struct Args {
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
    #[arg(long, default_value_t = 12)]
    steps: usize,
    #[arg(long, default_value_t = 3)]
    warmup: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Sequences that go through the network together; all of a step's by default
    #[arg(long)]
    micro_batch: Option<usize>,
    /// Biases on query, key and value, as Qwen2 has them
    #[arg(long)]
    bias: bool,
    /// The head is the embedding
    #[arg(long)]
    tied: bool,
    /// Compute blocks again in the backward pass
    #[arg(long)]
    recompute: bool,
    /// Learn from a teacher of the same shape with so many blocks, at temperature 2
    #[arg(long)]
    teacher_layers: Option<usize>,
    /// `f32` or `bf16`
    #[arg(long, default_value = "f32")]
    precision: String,
    /// Show where the time went, on standard error
    #[arg(long)]
    profile: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?.install(|| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let precision = match args.precision.as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        other => return Err(format!("precision `{other}`, expected f32 or bf16").into()),
    };
    let account = args.profile.then(Account::default);
    let machine = Profiled::new(Cpu::<f32>::with(precision), account.clone());
    let (architecture, family) =
        if args.bias { ("Qwen2ForCausalLM", "qwen2") } else { ("LlamaForCausalLM", "llama") };
    let config = |layers: usize| {
        serde_json::json!({
            "architectures": [architecture],
            "model_type": family,
            "hidden_size": args.hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": args.heads,
            "num_key_value_heads": args.kv_heads,
            "intermediate_size": args.inner,
            "vocab_size": args.vocabulary,
            "max_position_embeddings": args.length,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": args.tied,
        })
    };
    let config = |layers: usize| {
        ModelConfig::from_json(config(layers).to_string().as_bytes(), "bench".as_ref())
    };
    let teacher = match args.teacher_layers {
        None => None,
        Some(layers) => {
            let config = config(layers)?;
            let decoder = Decoder::new(machine.clone(), &config, args.length)?;
            let mut weights = decoder.backend().allocate(decoder.layout().elements())?;
            decoder.backend().upload(&model::weights::initial(&config, 2), &mut weights, 0)?;
            let space = decoder.workspace()?;
            Some((decoder, weights, space))
        }
    };
    let mut teacher = teacher;
    let config = config(args.layers)?;
    let decoder = Decoder::new(machine, &config, args.length)?;
    let backend = decoder.backend();
    let mut weights = backend.allocate(decoder.layout().elements())?;
    backend.upload(&model::weights::initial(&config, 1), &mut weights, 0)?;
    let mut gradients = backend.allocate(decoder.layout().elements())?;
    let mut space =
        if args.recompute { decoder.recomputing_workspace()? } else { decoder.workspace()? };
    let settings = AdamW {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        clip_norm: 1.0,
    };
    let mut optimizer = Optimizer::new(backend, decoder.layout(), &settings)?;

    let mut state = 1_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % args.vocabulary as u64) as u32
    };
    let windows: Vec<Vec<u32>> =
        (0..args.batch).map(|_| (0..=args.length).map(|_| random()).collect()).collect();
    let mut batches = Vec::new();
    for part in windows.chunks(args.micro_batch.unwrap_or(args.batch).max(1)) {
        let mut batch = Batch::new();
        for window in part {
            batch.push_window(window)?;
        }
        batches.push(batch);
    }
    let tokens = args.batch * args.length;
    let (mut seconds, mut loss) = (Vec::new(), 0.0);
    for step in 0..args.warmup + args.steps {
        if let Some(account) = account.as_ref().filter(|_| step == args.warmup) {
            account.clear();
        }
        let begin = Instant::now();
        loss = 0.0;
        for (index, batch) in batches.iter().enumerate() {
            let target = GradientTarget::new(&mut gradients, index > 0);
            let scale = 1.0 / tokens as f64;
            loss += scale
                * match &mut teacher {
                    None => decoder.gradients(&weights, batch, scale, target, &mut space)?,
                    Some((teacher, weights_of_teacher, space_of_teacher)) => {
                        let mut lesson = Lesson::Network {
                            decoder: teacher,
                            weights: weights_of_teacher,
                            space: space_of_teacher,
                        };
                        let taught = (&mut lesson, Mixture::new(1.0, TEMPERATURE));
                        decoder
                            .taught_gradients(&weights, batch, taught, scale, target, &mut space)?
                    }
                };
        }
        let norm = optimizer.norm(backend, &gradients)?;
        optimizer.step(backend, &mut weights, &gradients, norm, settings.learning_rate)?;
        if step >= args.warmup {
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    if let Some(account) = &account {
        let rates = Rates::measure(&Cpu::<f32>::with(precision))?;
        eprintln!("{:.0} GFLOP/s, {:.1} GB/s", rates.flop / 1e9, rates.bytes / 1e9);
        let whole: f64 = seconds.iter().sum();
        for work in Work::ALL {
            let spent = account.of(work);
            eprintln!(
                "{:26} {:6.2} % {:8.2} ms/step, floor {:8.2}, {:4} calls",
                work.name(),
                100.0 * spent.seconds / whole,
                1e3 * spent.seconds / args.steps as f64,
                1e3 * rates.floor(&spent) / args.steps as f64,
                spent.calls / args.steps as u64
            );
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let figures = serde_json::json!({
        "tokens_per_second": tokens as f64 / median,
        "loss": loss,
        "steps": args.steps,
        "kernel": backend.kernel(),
    });
    println!("{figures}");
    Ok(())
}
