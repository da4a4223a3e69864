//! Times a sparse score on one linear layer of random weights and inputs.
//!
//! Prints one line of JSON, which `benches/peers` reads.

use std::time::Instant;

use clap::Parser;
use model::backend::cpu::Cpu;
use prune::sparse::{Linear, LinearStats, MachineBench, Statistics, Workbench, ZeroRule};
use prune::{Method, method};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

#[derive(Parser)]
struct Args {
    /// For example `2:4-sparsegpt`
    #[arg(long)]
    method: String,
    /// Share of zeros, for a pattern that does not say it
    #[arg(long, default_value_t = 0.5)]
    share: f64,
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    columns: usize,
    #[arg(long)]
    tokens: usize,
    #[arg(long)]
    repeats: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?.install(|| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Method::Sparse(sparse) = method(&args.method)? else {
        return Err(format!("`{}` is no sparse method", args.method).into());
    };
    let (pattern, score) = (sparse.pattern(), sparse.score());
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut numbers = |len: usize| -> Vec<f32> {
        (0..len).map(|_| (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * 0.1).collect()
    };
    let weights = numbers(args.rows * args.columns);
    let inputs = numbers(args.tokens * args.columns);
    let machine = Cpu::<f32>::new();
    let mut bench = MachineBench::new(&machine);
    let mut stats = LinearStats::new(&mut bench, score.needs(), args.columns)?;
    let start = Instant::now();
    stats.add(&mut bench, &inputs)?;
    stats.close(&mut bench);
    let statistics = start.elapsed().as_secs_f64();
    drop(inputs);
    let mut sums = vec![0.0; args.columns * args.columns];
    if let Some(gram) = stats.gram() {
        bench.download(gram, 0, &mut sums)?;
    }
    let mut seconds = Vec::new();
    let mut linears = [Linear::new("layer", args.columns, weights.clone())];
    for _ in 0..=args.repeats {
        linears[0].weights_mut().copy_from_slice(&weights);
        if let Some(gram) = stats.gram() {
            bench.upload(&sums, gram, 0)?;
        }
        let start = Instant::now();
        let zeros = ZeroRule::new(pattern, args.share);
        let outcome = score.sparsify(&mut bench, &mut linears, &stats, zeros)?;
        seconds.push(start.elapsed().as_secs_f64());
        assert!(
            outcome.instead().is_none() && outcome.damping().is_none(),
            "the score did what it does"
        );
    }
    let work = linears[0].weights();
    let zeros = work.iter().filter(|&&weight| weight == 0.0).count();
    assert!(
        zeros.abs_diff(work.len() / 2) <= args.rows * args.columns / 1000,
        "half of the weights go"
    );
    // The first one met cold memory.
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let mut figures = serde_json::json!({ "seconds": median });
    if score.needs() != Statistics::Nothing {
        figures["statistics"] = statistics.into();
    }
    println!("{figures}");
    Ok(())
}
