//! Times products of the shapes of a training step, in GFLOP/s, on the kernels that this processor has.
use ledger::Precision;
use model::backend::{Area, Backend, View, ViewMut, cpu::Cpu};
use std::time::Instant;

fn main() {
    let precision =
        if std::env::args().nth(1).as_deref() == Some("bf16") { Precision::Bf16 } else { Precision::F32 };
    let threads: usize = std::env::args().nth(2).map_or(2, |t| t.parse().unwrap());
    let cpu = Cpu::<f32>::with(precision);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
        let filled = |len: usize, modulus: usize| {
            let mut x = cpu.allocate(len).unwrap();
            for (i, x) in x.iter_mut().enumerate() {
                *x = (i % modulus) as f32 - 3.0;
            }
            x
        };
        for (tokens, n, k) in [
            (2048, 2816, 512),
            (2048, 512, 1408),
            (2048, 1024, 512),
            (512, 8192, 512),
            (2048, 1408, 256),
            (2048, 256, 704),
            (2048, 96, 32),
            (2048, 192, 32),
            (2048, 32, 96),
            (2048, 384, 128),
            (2048, 704, 128),
            (2048, 128, 352),
        ] {
            let x = filled(tokens * k, 7);
            let w = filled(n * k, 5);
            let dy = filled(n * tokens, 5);
            let mut y = cpu.allocate(tokens * n).unwrap();
            let mut dx = cpu.allocate(tokens * k).unwrap();
            let mut dw = cpu.allocate(n * k).unwrap();
            let (ax, aw, ay) = (Area::new(0, tokens, k), Area::new(0, n, k), Area::new(0, tokens, n));
            let flop = 2.0 * (tokens * n * k) as f64;
            let mut out = vec![];
            for kind in 0..3 {
                let reps = (1e9 / flop).ceil() as usize;
                let mut best = f64::MAX;
                for _ in 0..6 {
                    let begin = Instant::now();
                    for _ in 0..reps {
                        match kind {
                            0 => cpu.product(
                                View::new(&x, ax),
                                View::new(&w, aw).t(),
                                ViewMut::new(&mut y, ay),
                                false,
                            ),
                            1 => cpu.product(
                                View::new(&dy, ay),
                                View::new(&w, aw),
                                ViewMut::new(&mut dx, ax),
                                false,
                            ),
                            _ => cpu.product(
                                View::new(&dy, ay).t(),
                                View::new(&x, ax),
                                ViewMut::new(&mut dw, aw),
                                false,
                            ),
                        }
                        .unwrap();
                    }
                    best = best.min(begin.elapsed().as_secs_f64() / reps as f64);
                }
                out.push(flop / best / 1e9);
            }
            println!(
                "{tokens:5} {n:5} {k:5}: forward {:6.1}  input {:6.1}  weight {:6.1}",
                out[0], out[1], out[2]
            );
        }
    });
}
