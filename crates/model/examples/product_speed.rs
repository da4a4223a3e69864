//! Times products of the shapes of a training step on the kernels that this processor has.
//!
//!     cargo run --release -p regrow-model --example product_speed -- --precision bf16 --threads 2
//!
//! For `tokens` x `out` x `in`: forward is `X W^T`, input `dY W`, weight `dY^T X`; the best of some
//! rounds, in GFLOP/s.

use std::time::Instant;

use clap::Parser;
use ledger::Precision;
use model::backend::{Area, Backend, View, ViewMut, cpu::Cpu};

/// Tokens, outputs and inputs of a linear layer.
const SHAPES: [(usize, usize, usize); 8] = [
    (2048, 2816, 512),
    (2048, 512, 1408),
    (512, 8192, 512),
    (2048, 1408, 256),
    (2048, 256, 704),
    (2048, 704, 128),
    (2048, 192, 32),
    (2048, 32, 96),
];
const ROUNDS: usize = 6;

#[derive(Parser)]
struct Args {
    /// `f32` or `bf16`
    #[arg(long, default_value = "f32")]
    precision: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let args = Args::parse();
    let known = [Precision::F32, Precision::Bf16];
    let precision =
        known.into_iter().find(|known| known.name() == args.precision).ok_or("f32 or bf16")?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    pool.install(|| run(&Cpu::<f32>::with(precision)))
}

fn run(cpu: &Cpu<f32>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    println!("{}\ntokens   out    in  forward   input  weight", cpu.kernel());
    for (tokens, outputs, inputs) in SHAPES {
        let areas = [
            Area::new(0, tokens, inputs),
            Area::new(0, outputs, inputs),
            Area::new(0, tokens, outputs),
        ];
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for area in areas {
            let mut buffer = cpu.allocate(area.end())?;
            let values: Vec<f32> = (0..area.end()).map(|i| (i % 7) as f32 - 3.0).collect();
            cpu.upload(&values, &mut buffer, 0)?;
            read.push(buffer);
            written.push(cpu.allocate(area.end())?);
        }
        let view = |which: usize| View::new(&read[which], areas[which]);
        // Left, right and result, as places in `areas`: x, w, y.
        let products =
            [(view(0), view(1).t(), 2), (view(2), view(1), 0), (view(2).t(), view(0), 1)];
        let flop = 2.0 * (tokens * outputs * inputs) as f64;
        print!("{tokens:6} {outputs:5} {inputs:5}");
        for (left, right, result) in products {
            let repeats = (1e9 / flop).ceil() as usize;
            let mut best = f64::INFINITY;
            for _ in 0..ROUNDS {
                let begin = Instant::now();
                for _ in 0..repeats {
                    cpu.product(
                        left,
                        right,
                        ViewMut::new(&mut written[result], areas[result]),
                        false,
                    )?;
                }
                best = best.min(begin.elapsed().as_secs_f64() / repeats as f64);
            }
            print!(" {:7.0}", flop / best / 1e9);
        }
        println!();
    }
    Ok(())
}
