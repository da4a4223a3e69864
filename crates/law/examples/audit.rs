//! Which curves describe a table better, a power of the tokens or a fall that becomes slower?
//!
//! `cargo run --release -p regrow-law --example audit -- TABLE.csv...`: for each group of runs the
//! logarithm of the density of each base left out, summed, with curves of each shape; their
//! difference with its standard error over bases; the worst tail of the weights; and whether the
//! chains of both have met.

use std::error::Error;

#[path = "tables/mod.rs"]
mod tables;

use law::Run;
use law::levels::{LeftOutBase, Levels, Priors, Sampling, Shape};

fn main() -> Result<(), Box<dyn Error>> {
    println!("table,bases,points,fall,power,fall_minus_power,standard_error,worst_tail,good");
    for path in std::env::args().skip(1) {
        for (group, runs) in tables::read(&path)? {
            let seen: Vec<&Run> = runs.iter().collect();
            let left_out = |shape: Shape| {
                let sampling = Sampling::default();
                let levels = Levels::sample(&seen, shape, &Priors::default(), &sampling)?;
                Some((levels.left_out(&seen), levels.diagnostics().is_good()))
            };
            let (Some((fall, fall_met)), Some((power, power_met))) =
                (left_out(Shape::Fall), left_out(Shape::Power))
            else {
                continue;
            };
            let sum = |bases: &[LeftOutBase]| bases.iter().map(|base| base.ln_density).sum::<f64>();
            let [by, error] = LeftOutBase::difference(&fall, &power);
            let tail =
                fall.iter().chain(&power).map(|base| base.tail).fold(f64::NEG_INFINITY, f64::max);
            let points: usize = runs.iter().map(|run| run.points().len()).sum();
            println!(
                "{path} {group},{},{points},{:.1},{:.1},{by:.1},{error:.1},{tail:.2},{}",
                fall.len(),
                sum(&fall),
                sum(&power),
                fall_met && power_met
            );
        }
    }
    Ok(())
}
