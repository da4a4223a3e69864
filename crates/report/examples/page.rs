//! A page from simulated runs: `cargo run -p regrow-report --example page -- FOLDER` writes
//! `page.html` and `page.svg` there. With `few` as a second argument the runs hold two sizes only,
//! and the page says what that means.

use std::path::PathBuf;

use law::{Row, Settings, Table, TableRow, form};
use report::{Entropy, Fact, PageInput, SkippedRun};

/// `N_C D_C E alpha beta gamma delta`, for sizes and tokens in billions.
const TRUTH: [f64; 7] = [0.0006, 0.0009, 0.02, 0.5, 0.6, -1.15, 0.12];
const ENTROPY: f64 = 2.31;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: page FOLDER [few]")?);
    let sizes: &[f64] = match arguments.next().as_deref() {
        Some("few") => &[36_128.0, 147_840.0],
        _ => &[36_128.0, 72_720.0, 147_840.0, 246_336.0],
    };
    let rows = simulate(sizes);
    let table = Table::new(rows.iter().cloned())?;
    let law = law::fit(&table, &Settings::default())?;
    let validation = law::validate::validate(&table, &Settings::default())?;
    let fact = |name: &str, value: &str| Fact { name: name.into(), value: value.into() };
    let input = PageInput {
        title: "Simulated runs of two series",
        law: &law,
        validation: Some(&validation),
        rows: &rows,
        runs: &[],
        bases: &[],
        left_out: &[SkippedRun {
            run: "w32-0.35".into(),
            why: "it was killed at step 120 and has no `done.json`".into(),
        }],
        entropy: Some(Entropy { nats: ENTROPY, standard_error: Some(0.004) }),
        facts: &[fact("command", "cargo run -p regrow-report --example page"), fact("seed", "7")],
    };
    std::fs::write(folder.join("page.html"), report::page(&input))?;
    std::fs::write(folder.join("page.svg"), report::picture(&input))?;
    std::fs::write(folder.join("law.json"), serde_json::to_string_pretty(&law)?)?;
    Ok(())
}

/// Runs of one series at every size, controls, and one size of another series.
fn simulate(sizes: &[f64]) -> Vec<TableRow> {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let mut rows = Vec::new();
    let mut noise = noise(7);
    let places = sizes.iter().map(|&n0| ("llama", n0)).chain([("qwen2", 98_304.0)]);
    for (series, n0) in places {
        let loss0 = 2.42 + 0.9 * (n0 / 3e4).powf(-0.5);
        for (name, rate) in [("none", 0.0), ("a", 0.148), ("b", 0.246), ("c", 0.345)] {
            let offset = 0.004 * noise();
            for step in 0..14 {
                let tokens = 24_576.0 * 1.42_f64.powi(step);
                let row = Row::new(n0 / 1e9, rate, loss0, tokens / 1e9);
                let clean = match rate {
                    0.0 => loss0 - 0.02 * (1.0 - (-tokens / 2e5).exp()),
                    _ => p2.value(&TRUTH, &row),
                };
                rows.push(TableRow {
                    series: series.into(),
                    method: if rate == 0.0 {
                        "none".into()
                    } else {
                        "depth-block-influence".into()
                    },
                    base: Some(format!("{series}-{:.0}k", n0 / 1e3)),
                    tokens,
                    loss: clean + offset + 0.0025 * noise(),
                    ..TableRow::run(&format!("{series} {n0} {name}"), n0, rate, loss0)
                });
            }
        }
    }
    rows
}

/// Numbers of deviation one, nearly normal, always the same.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    let mut uniform = move || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0
}
