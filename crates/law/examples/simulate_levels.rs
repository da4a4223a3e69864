//! Do 90 % intervals of a law with levels hold the truth in 90 % of made tables?
//!
//! `cargo run --release -p regrow-law --example simulate_levels -- 400 DESIGN DEVIATION FORM SHAPE`
//! prints a line of CSV for each design of runs, deviation of bases, form of the truth and
//! quantity. Left out or `all`, an argument means every design and deviation, the right form
//! (`p2`), and curves of the shape `fall`.
//!
//! Every table has constants of its own, drawn anew. Excess over the loss before pruning:
//! `F G(N0) rho^gamma N0^-delta e^(f_b + f_r) + A rho^gamma N0^-delta e^(a_b + a_r) D^-beta`, with
//! effects of bases and runs, and noise that is an autoregression with Student tails.

use std::error::Error;

use law::levels::{Curves, Levels, Priors, Sampling, Shape, Subject, quantile};
use law::{Place, Point, Run};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// Bases of each size. Each is pruned at three rates.
const DESIGNS: [(&str, &[usize]); 3] =
    [("3 x 1", &[1, 1, 1]), ("4 x 2", &[2, 2, 2, 2]), ("3 x 2,1,1", &[2, 1, 1])];
const DEVIATIONS: [f64; 3] = [0.05, 0.15, 0.3];
const FORMS: [(&str, Form); 4] = [
    ("p2", Form::P2),
    ("exponential first fall", Form::FirstFall),
    ("tokens shifted", Form::Shifted),
    ("beta follows size", Form::BetaFollowsSize),
];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];
/// Runs of one base differ by this deviation, whatever bases do.
const OF_RUNS: f64 = 0.1;
/// Points of a run, over this factor of tokens.
const POINTS: usize = 12;
const FIRST: f64 = 1e5;
const LAST: f64 = 3e6;

const QUANTITIES: [&str; 9] = [
    "a run you have, its last point",
    "a run you have, 4 times its tokens",
    "a run you have, enough tokens",
    "a base you have, last tokens",
    "a base you have, 4 times the tokens",
    "a base you have, enough tokens",
    "a base you do not have, last tokens",
    "a base you do not have, 4 times the tokens",
    "a base you do not have, enough tokens",
];

/// What the truth is. All but the first are forms that the law does not know.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    P2,
    /// Beside the power a half of it at the first point, which falls off exponentially within
    /// twice the tokens of that point.
    FirstFall,
    /// `D + D1` instead of `D`, where `D1` is twice the tokens of the first point.
    Shifted,
    /// `beta` is proportional to `N0^0.15`.
    BetaFollowsSize,
}

/// The constants of one table.
struct World {
    form: Form,
    beta: f64,
    gamma: f64,
    delta: f64,
    alpha: f64,
    /// The share of the floor in the excess at the last tokens, in the middle of the design.
    floor: f64,
    /// The scale of the noise, as a share of the excess.
    noise: f64,
    correlation: f64,
}

/// Effects on the floor and on the token term.
type Effects = [f64; 2];

/// Whether an interval holds the truth, and half its width: as a share of the true excess, or in
/// `ln D`. `None` where there is no interval.
type Verdict = Option<(bool, f64)>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tables: u64 = arguments.first().map_or(Ok(400), |count| count.parse())?;
    let wanted = |i: usize| arguments.get(i).map_or("all", |word| word.as_str());
    let is = |i: usize, name: &str| wanted(i) == "all" || wanted(i) == name;
    let forms = FORMS.iter().filter(|(name, _)| match wanted(3) {
        "all" => *name == "p2",
        asked => *name == asked,
    });
    let shape = match wanted(4) {
        "all" | "fall" => Shape::Fall,
        "power" => Shape::Power,
        other => return Err(format!("no shape `{other}`: `fall` or `power`").into()),
    };
    println!("design,base_deviation,truth,shape,quantity,tables,intervals,held_percent,half_width");
    for (truth, form) in forms {
        for (design, bases) in DESIGNS.iter().filter(|(name, _)| is(1, name)) {
            for deviation in DEVIATIONS.iter().filter(|x| is(2, &x.to_string())) {
                let judge = |seed: u64| judge(*form, bases, *deviation, shape, seed);
                let verdicts: Vec<Vec<Verdict>> = (0..tables).into_par_iter().map(judge).collect();
                for (i, quantity) in QUANTITIES.iter().enumerate() {
                    let given: Vec<(bool, f64)> =
                        verdicts.iter().filter_map(|verdict| verdict[i]).collect();
                    let held = given.iter().filter(|(held, _)| *held).count();
                    let mut halves: Vec<f64> = given.iter().map(|(_, half)| *half).collect();
                    let half = quantile(&mut halves, 0.5).unwrap_or(f64::NAN);
                    let percent = 100.0 * held as f64 / given.len() as f64;
                    println!(
                        "\"{design}\",{deviation},{truth},{shape:?},\"{quantity}\",{tables},{},{percent:.1},{half:.4}",
                        given.len()
                    );
                }
            }
        }
    }
    Ok(())
}

fn judge(form: Form, bases: &[usize], deviation: f64, shape: Shape, seed: u64) -> Vec<Verdict> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let world = World::draw(form, &mut random);
    let sizes: Vec<f64> = (0..bases.len()).map(|i| 5e8 * 2.5_f64.powi(i as i32)).collect();
    let counts: Vec<f64> = (0..POINTS + 4).map(tokens).collect();
    let mut runs = Vec::new();
    // The run that is asked about, whole, and the effects of its base.
    let mut asked: Option<(Run, Effects, Effects)> = None;
    for (i, (n0, count)) in sizes.iter().zip(bases).enumerate() {
        for b in 0..*count {
            let base = format!("{i}-{b}");
            let of_base = effects(deviation, &mut random);
            for (r, rate) in RATES.iter().enumerate() {
                let of_run = effects(OF_RUNS, &mut random);
                let both = [of_base[0] + of_run[0], of_base[1] + of_run[1]];
                let points = world.points(*n0, *rate, both, &counts, &mut random);
                let seen = points[..POINTS].to_vec();
                let place = Place::new(*n0, *rate, LOSS0).expect("a place inside its range");
                let name = format!("{base}-{r}");
                runs.push(Run::new(&name, &base, place, seen));
                if (i, b, r) == (bases.len() / 2, 0, 1) {
                    asked = Some((Run::new(&name, &base, place, points), of_base, both));
                }
            }
        }
    }
    let (run, of_base, of_run) = asked.expect("every design has a middle run");
    let seen: Vec<&Run> = runs.iter().collect();
    let sampling = Sampling::default().seeded(seed + 1);
    let levels = Levels::sample(&seen, shape, &Priors::default(), &sampling)
        .filter(|levels| levels.diagnostics().is_good());
    let Some(levels) = levels else { return vec![None; QUANTITIES.len()] };
    let (n0, rate) = (run.n0(), run.rate());
    // What the doubling to the last tokens buys in the middle of the design.
    let gain =
        world.excess(n0, rate, [0.0; 2], 0.5 * LAST) - world.excess(n0, rate, [0.0; 2], LAST);
    let curves = |subject: Subject<'_>| levels.curves(subject, n0, rate).expect("it was seen");
    let last = [POINTS - 1, POINTS + 3];
    let measured = |points: &[Point]| last.map(|i| points[i].loss - LOSS0);
    let mut verdicts = Vec::new();
    let mut ask = |subject: Subject<'_>, at: [f64; 2], of: Effects, is_seen: bool| {
        let curves = curves(subject);
        for (i, (place, truth)) in last.into_iter().zip(at).enumerate() {
            // The last point of a run is known; what is asked is where its curve passes it.
            let is_known = is_seen && i == 0;
            let drawn = match is_known {
                true => curves.excesses(counts[place]),
                false => curves.measured(counts[place]),
            };
            let truth = if is_known { world.excess(n0, rate, of, LAST) } else { truth };
            verdicts.push(held(drawn, truth, |ends| 0.5 * (ends[1] - ends[0]) / truth));
        }
        verdicts.push(enough(&world, &curves, n0, rate, of, gain));
    };
    ask(Subject::Run(run.name()), measured(run.points()), of_run, true);
    let of_new_base = effects(deviation, &mut random);
    for (subject, of_base) in
        [(Subject::KnownBase(run.base()), of_base), (Subject::NewBase, of_new_base)]
    {
        let own = effects(OF_RUNS, &mut random);
        let both = [of_base[0] + own[0], of_base[1] + own[1]];
        let points = world.points(n0, rate, both, &counts, &mut random);
        ask(subject, measured(&points), both, false);
    }
    verdicts
}

/// Enough tokens: from where a doubling buys no more than `gain`.
fn enough(world: &World, curves: &Curves, n0: f64, rate: f64, of: Effects, gain: f64) -> Verdict {
    let doubling =
        |tokens: f64| world.excess(n0, rate, of, tokens) - world.excess(n0, rate, of, 2.0 * tokens);
    let (mut low, mut high) = (1.0_f64, 1e18_f64);
    // What a doubling buys falls with the tokens.
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        *if doubling(middle) > gain { &mut low } else { &mut high } = middle;
    }
    let drawn = curves.where_doubling_buys(gain);
    held(drawn, low, |ends| 0.5 * (ends[1] / ends[0]).ln())
}

fn held(mut drawn: Vec<f64>, truth: f64, half: impl Fn([f64; 2]) -> f64) -> Verdict {
    let ends = [quantile(&mut drawn, 0.05)?, quantile(&mut drawn, 0.95)?];
    Some(((ends[0]..=ends[1]).contains(&truth), half(ends)))
}

/// Every base has this loss before pruning, nats per token.
const LOSS0: f64 = 2.5;

/// The tokens of the i-th point. Points go on behind the last that the law sees, to four times it.
fn tokens(i: usize) -> f64 {
    let seen = (POINTS - 1) as f64;
    match i.checked_sub(POINTS - 1) {
        None => FIRST * (LAST / FIRST).powf(i as f64 / seen),
        Some(later) => LAST * 4.0_f64.powf(later as f64 / 4.0),
    }
}

fn effects(deviation: f64, random: &mut ChaCha8Rng) -> Effects {
    [deviation * normal(random), deviation * normal(random)]
}

impl World {
    fn draw(form: Form, random: &mut ChaCha8Rng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * uniform(random);
        Self {
            form,
            beta: between(0.25, 0.6),
            gamma: between(0.8, 1.6),
            delta: between(0.1, 0.4),
            alpha: between(0.1, 0.6),
            floor: between(0.1, 0.6),
            noise: between(0.003, 0.01),
            correlation: between(0.2, 0.8),
        }
    }

    /// The excess without noise, nats.
    fn excess(&self, n0: f64, rate: f64, [of_floor, of_term]: Effects, tokens: f64) -> f64 {
        // About the middle of the design, so that the constants mean the same on every table.
        let (size, rho) = (n0 / 1.25e9, rate / 0.25);
        let scale = 0.2 * rho.powf(self.gamma) * size.powf(-self.delta);
        let floor = self.floor * 0.5 * (size.powf(-self.alpha) + 1.0) * of_floor.exp();
        let beta = match self.form {
            Form::BetaFollowsSize => self.beta * size.powf(0.15),
            _ => self.beta,
        };
        let shift = if self.form == Form::Shifted { 2.0 * FIRST } else { 0.0 };
        let term = ((tokens + shift) / LAST).powf(-beta);
        let first = match self.form {
            Form::FirstFall => 0.5 * (FIRST / LAST).powf(-beta) * (-tokens / (2.0 * FIRST)).exp(),
            _ => 0.0,
        };
        scale * (floor + (1.0 - self.floor) * of_term.exp() * (term + first))
    }

    fn points(
        &self,
        n0: f64,
        rate: f64,
        of: Effects,
        counts: &[f64],
        random: &mut ChaCha8Rng,
    ) -> Vec<Point> {
        let mut z = 0.0;
        let point = |(i, tokens): (usize, &f64)| {
            let left = (1.0 - self.correlation * self.correlation).sqrt();
            z = if i == 0 {
                student(random)
            } else {
                self.correlation * z + left * student(random)
            };
            let loss = LOSS0 + self.excess(n0, rate, of, *tokens) * (1.0 + self.noise * z);
            Point { tokens: *tokens, loss, weight: 1.0 }
        };
        counts.iter().enumerate().map(point).collect()
    }
}

/// Student's t with five degrees of freedom.
fn student(random: &mut ChaCha8Rng) -> f64 {
    let square: f64 = (0..5).map(|_| normal(random).powi(2)).sum();
    normal(random) / (square / 5.0).sqrt()
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v) = (uniform(random).max(1e-300), uniform(random));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
