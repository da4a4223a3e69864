//! Times a sparse score on one linear layer of random weights and inputs.
//!
//! Prints one line of JSON, which `benches/peers` reads.

use std::time::Instant;

use clap::Parser;
use model::backend::Area;
use prune::sparse::{Linear, LinearStats, Statistics, ZeroRule};
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
    let mut stats = LinearStats::new(score.needs(), args.columns)?;
    let start = Instant::now();
    stats.add(&inputs, args.columns)?;
    let statistics = start.elapsed().as_secs_f64();
    drop(inputs);
    let area = Area::new(0, args.rows, args.columns);
    let linears = [Linear { name: "layer".to_owned(), area }];
    let mut seconds = Vec::new();
    let mut work = weights.clone();
    for _ in 0..=args.repeats {
        work.copy_from_slice(&weights);
        let stats = stats.clone();
        let start = Instant::now();
        let outcome =
            score.sparsify(&mut work, &linears, stats, ZeroRule::new(pattern, args.share))?;
        seconds.push(start.elapsed().as_secs_f64());
        assert!(
            outcome.instead.is_none() && outcome.damping.is_none(),
            "the score did what it does"
        );
    }
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
