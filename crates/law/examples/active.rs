//! Pilots for scaling laws of other people: the published benchmark `active-sl` (arXiv 2604.22753).
//!
//! `cargo run --release -p regrow-law --example active -- NAME TRAIN.csv TEST.csv...`: a pool of
//! experiments with costs, and a region of costly ones whose losses are to be foretold. Shares of
//! the pool's cost are spent in three rounds. In each the pilots are chosen that leave the least
//! variance in the region, their losses are read, and the law is fitted again. A line of CSV a
//! share: R2 in the region, its mean and deviation over ten repeats with other worlds; beside it
//! random choice, and the fit to the whole pool. NAME is `farseer` or `data_constrained`.
//!
//! The law is a sum of powers of parameters and tokens (Hoffmann et al. 2022). Repeated tokens are
//! worth less, and so are parameters that tokens do not suffice for (Muennighoff et al. 2023). The
//! term of the tokens and its power follow the size, as Farseer has it: without that the fit to
//! the whole `farseer` pool has an R2 of -1.8 in its region, by SciPy's least squares too.

use std::error::Error;

use law::design::{View, best_set};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SHARES: [f64; 3] = [0.01, 0.05, 0.1];
const ROUNDS: usize = 3;
const REPEATS: u64 = 10;
const WORLDS: usize = 16;
/// The deviation of a loss from the law, as a share of it, before any is seen.
const NOISE: f64 = 0.005;

/// Parameters, tokens and unique tokens over the middle ones; and the loss.
#[derive(Clone, Copy)]
struct Experiment {
    n: f64,
    d: f64,
    unique: f64,
    /// The parameters that the unique tokens suffice for; infinite where tokens do not repeat.
    suffices: f64,
    cost: f64,
    loss: f64,
}

/// Logarithms of: the floor, the share of parameters and its power, the share of tokens and its
/// power, and the repetitions after which tokens are worth little. Then how the share of tokens and
/// its power follow the logarithm of the size. The last three are what any formula lacks: how the
/// logarithm of the loss bends in those of size and tokens. Without them hundreds of small
/// experiments seem to tell all about large ones.
const SIZE: usize = 12;
type At = [f64; SIZE];

/// The law's constants, and how they vary together.
struct Belief {
    at: At,
    covariance: Vec<Vec<f64>>,
    noise: f64,
}

/// The prior: means and deviations.
struct Prior {
    mean: At,
    sd: At,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("set,share,way,r2,deviation,experiments");
    for three in arguments.chunks(3) {
        let [name, pool, region] = three else {
            return Err("expected NAME TRAIN.csv TEST.csv".into());
        };
        let (pool, middle) = read(pool, None)?;
        let (region, _) = read(region, Some(middle))?;
        let all: Vec<usize> = (0..pool.len()).collect();
        let prior = Prior::of(&pool);
        let fitted = prior.fit(&pool, &all, &mut random(1));
        println!("{name},1,whole pool,{:.3},0,{}", r2(&fitted.at, &region), pool.len());
        for share in SHARES {
            for (way, choose) in [("design", designed as Choose), ("random", at_random)] {
                let found: Vec<(f64, usize)> = (0..REPEATS)
                    .map(|repeat| {
                        let seen = choose(&pool, &region, share, repeat);
                        let belief = prior.fit(&pool, &seen, &mut random(repeat));
                        (r2(&belief.at, &region), seen.len())
                    })
                    .collect();
                let count = found.len() as f64;
                let mean = found.iter().map(|one| one.0).sum::<f64>() / count;
                let variance = found.iter().map(|one| (one.0 - mean).powi(2)).sum::<f64>() / count;
                let size = found.iter().map(|one| one.1).sum::<usize>() / found.len();
                println!("{name},{share},{way},{mean:.3},{:.3},{size}", variance.sqrt());
            }
        }
    }
    Ok(())
}

type Choose = fn(&[Experiment], &[Experiment], f64, u64) -> Vec<usize>;

/// Chooses, looks, fits, and chooses again.
fn designed(pool: &[Experiment], region: &[Experiment], share: f64, seed: u64) -> Vec<usize> {
    let prior = Prior::of(pool);
    let mut random = random(1000 + seed);
    let budget = share * pool.iter().map(|one| one.cost).sum::<f64>();
    // The cheapest tells the unit of the losses, and is the prior's.
    let mut seen = vec![cheapest(pool)];
    for round in 1..=ROUNDS {
        let spent: f64 = seen.iter().map(|i| pool[*i].cost).sum();
        let left = budget * round as f64 / ROUNDS as f64 - spent;
        let belief = prior.fit(pool, &seen, &mut random);
        let rest: Vec<usize> = (0..pool.len()).filter(|i| !seen.contains(i)).collect();
        let views: Vec<View> = (0..WORLDS)
            .map(|_| view(&belief, &belief.drawn(&mut random), pool, &rest, region))
            .collect();
        let value = |view: &View, set: &[usize], more: &[Option<usize>]| -> Vec<f64> {
            let after = view.after(set);
            let one = |pilot: &Option<usize>| {
                let variances = after.as_ref().and_then(|after| match pilot {
                    Some(pilot) => after.variances_with(view, *pilot),
                    None => after.variances(view),
                });
                variances.map_or(f64::INFINITY, |found| found.iter().sum::<f64>().ln())
            };
            more.iter().map(one).collect()
        };
        let costs: Vec<f64> = rest.iter().map(|i| pool[*i].cost).collect();
        let places: Vec<usize> = (0..rest.len()).collect();
        let found = best_set(&costs, &places, left.max(f64::MIN_POSITIVE), |set, more| {
            let mut sums = vec![0.0; more.len()];
            for view in &views {
                let values = value(view, set, more);
                sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
            }
            sums
        });
        seen.extend(found.into_iter().map(|i| rest[i]));
    }
    seen
}

fn at_random(pool: &[Experiment], _: &[Experiment], share: f64, seed: u64) -> Vec<usize> {
    let mut random = random(2000 + seed);
    let mut left = share * pool.iter().map(|one| one.cost).sum::<f64>();
    let mut rest: Vec<usize> = (0..pool.len()).collect();
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let i = rest.swap_remove((random.next_u64() % rest.len() as u64) as usize);
        if pool[i].cost <= left {
            left -= pool[i].cost;
            seen.push(i);
        }
    }
    seen
}

fn cheapest(pool: &[Experiment]) -> usize {
    (0..pool.len()).min_by(|a, b| pool[*a].cost.total_cmp(&pool[*b].cost)).unwrap_or(0)
}

/// One world, in which losses follow the constants along lines.
fn view(
    belief: &Belief,
    world: &At,
    pool: &[Experiment],
    rest: &[usize],
    region: &[Experiment],
) -> View {
    let rows: Vec<Vec<Vec<f64>>> = rest
        .iter()
        .map(|i| {
            let (_, slopes) = slopes(world, &pool[*i]);
            vec![slopes.iter().map(|slope| slope / belief.noise).collect()]
        })
        .collect();
    let wanted: Vec<(Vec<f64>, f64)> =
        region.iter().map(|one| (slopes(world, one).1.to_vec(), 0.0)).collect();
    View::new(&belief.covariance, &rows, &wanted)
}

/// The logarithm of the loss.
fn ln_loss(at: &At, one: &Experiment) -> f64 {
    let [floor, of_n, power_n, of_d, power_d, repeats] = std::array::from_fn(|k| at[k].exp());
    let [of_d, power_d] = [(of_d, at[6]), (power_d, at[7])].map(|(x, by)| x * one.n.powf(by));
    // And so are parameters beyond those that the unique tokens suffice for.
    let surplus = at[11].exp();
    let more = one.n / one.suffices - 1.0;
    let n = match more > 0.0 {
        true => one.suffices * (1.0 - surplus * (-more / surplus).exp_m1()),
        false => one.n,
    };
    // Tokens beyond the first pass are worth less and less.
    let more = (one.d / one.unique - 1.0).max(0.0);
    let worth = one.d.min(one.unique) + one.unique * repeats * -(-more / repeats).exp_m1();
    let (x, y) = (one.n.ln(), one.d.ln());
    let bends = at[8] * x * x + at[9] * x * y + at[10] * y * y;
    (floor + of_n * n.powf(-power_n) + of_d * worth.powf(-power_d)).ln() + bends
}

fn slopes(at: &At, one: &Experiment) -> (f64, At) {
    let step = 1e-5;
    let slope = |k: usize| {
        let moved = |by: f64| {
            let mut at = *at;
            at[k] += by;
            ln_loss(&at, one)
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    (ln_loss(at, one), std::array::from_fn(slope))
}

impl Prior {
    /// About the loss of the cheapest experiment. Repetitions are about 15 (Muennighoff et al.).
    fn of(pool: &[Experiment]) -> Self {
        let unit = pool[cheapest(pool)].loss.ln();
        let half = 0.5_f64.ln();
        let quarter = 0.25_f64.ln();
        let power = 0.35_f64.ln();
        Self {
            mean: [
                unit + half,
                unit + quarter,
                power,
                unit + quarter,
                power,
                15_f64.ln(),
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                5.3_f64.ln(),
            ],
            sd: [0.7, 1.0, 0.5, 1.0, 0.5, 1.0, 0.2, 0.1, 0.003, 0.003, 0.003, 1.0],
        }
    }

    /// The most probable constants, the best of several starts; the noise from what is left.
    fn fit(&self, pool: &[Experiment], seen: &[usize], random: &mut ChaCha8Rng) -> Belief {
        let mut noise = NOISE;
        let mut best = self.mean;
        for _ in 0..3 {
            let starts = (0..12).map(|i| match i {
                0 => best,
                _ => std::array::from_fn(|k| self.mean[k] + self.sd[k] * normal(random)),
            });
            let ends: Vec<(f64, At)> = starts
                .map(|start| self.descend(start, pool, seen, noise))
                .filter(|end| end.0.is_finite())
                .collect();
            if let Some(end) = ends.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)) {
                best = end.1;
            }
            let left: f64 =
                seen.iter().map(|i| (pool[*i].loss.ln() - ln_loss(&best, &pool[*i])).powi(2)).sum();
            // As if five experiments had shown the first guess.
            let count = seen.len() as f64 + 5.0;
            noise = ((left + 5.0 * NOISE * NOISE) / count).sqrt();
        }
        let normal = self.normal(&best, pool, seen, noise);
        Belief { at: best, covariance: inverse(&normal.0), noise }
    }

    /// The curvature and slope of half the squared residuals and the prior.
    fn normal(
        &self,
        at: &At,
        pool: &[Experiment],
        seen: &[usize],
        noise: f64,
    ) -> (Vec<Vec<f64>>, At, f64) {
        let mut square = vec![vec![0.0; SIZE]; SIZE];
        let mut slope = [0.0; SIZE];
        let mut value = 0.0;
        for k in 0..SIZE {
            let z = (at[k] - self.mean[k]) / self.sd[k];
            square[k][k] += 1.0 / (self.sd[k] * self.sd[k]);
            slope[k] += z / self.sd[k];
            value += 0.5 * z * z;
        }
        for i in seen {
            let (found, by) = slopes(at, &pool[*i]);
            let z = (found - pool[*i].loss.ln()) / noise;
            value += 0.5 * z * z;
            for j in 0..SIZE {
                slope[j] += z * by[j] / noise;
                for k in 0..SIZE {
                    square[j][k] += by[j] * by[k] / (noise * noise);
                }
            }
        }
        (square, slope, value)
    }

    /// Levenberg and Marquardt.
    fn descend(&self, mut at: At, pool: &[Experiment], seen: &[usize], noise: f64) -> (f64, At) {
        let (mut damping, mut now) = (1e-2, self.normal(&at, pool, seen, noise));
        for _ in 0..200 {
            let mut damped = now.0.clone();
            (0..SIZE).for_each(|k| damped[k][k] *= 1.0 + damping);
            let inverse = inverse(&damped);
            let mut next = at;
            for k in 0..SIZE {
                next[k] -=
                    (0..SIZE).map(|j| inverse[k][j] * now.1[j]).sum::<f64>().clamp(-2.0, 2.0);
            }
            let there = self.normal(&next, pool, seen, noise);
            if there.2 < now.2 {
                let gained = now.2 - there.2;
                (at, now, damping) = (next, there, damping * 0.3);
                if gained < 1e-10 {
                    break;
                }
            } else {
                damping *= 4.0;
                if damping > 1e12 {
                    break;
                }
            }
        }
        (now.2, at)
    }
}

impl Belief {
    /// One set of constants that is held possible.
    fn drawn(&self, random: &mut ChaCha8Rng) -> At {
        let factor = factor(&self.covariance);
        let z: Vec<f64> = (0..SIZE).map(|_| normal(random)).collect();
        std::array::from_fn(|k| self.at[k] + (0..=k).map(|j| factor[k][j] * z[j]).sum::<f64>())
    }
}

/// How much of the variance in the region is explained.
fn r2(at: &At, region: &[Experiment]) -> f64 {
    let mean = region.iter().map(|one| one.loss).sum::<f64>() / region.len() as f64;
    let left: f64 = region.iter().map(|one| (one.loss - ln_loss(at, one).exp()).powi(2)).sum();
    1.0 - left / region.iter().map(|one| (one.loss - mean).powi(2)).sum::<f64>()
}

/// The lower factor of a positive definite matrix.
fn factor(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut l = vec![vec![0.0; a.len()]; a.len()];
    for i in 0..a.len() {
        for j in 0..=i {
            let left = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            l[i][j] = if i == j { left.max(1e-300).sqrt() } else { left / l[j][j] };
        }
    }
    l
}

fn inverse(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (l, n) = (factor(a), a.len());
    let column = |j: usize| {
        let mut x = vec![0.0; n];
        for i in 0..n {
            let unit = if i == j { 1.0 } else { 0.0 };
            x[i] = (unit - (0..i).map(|k| l[i][k] * x[k]).sum::<f64>()) / l[i][i];
        }
        for i in (0..n).rev() {
            x[i] = (x[i] - (i + 1..n).map(|k| l[k][i] * x[k]).sum::<f64>()) / l[i][i];
        }
        x
    };
    // Symmetric, so columns are rows.
    (0..n).map(column).collect()
}

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}

/// Reads one of the benchmark's tables. Its middle is that of the pool.
fn read(
    path: &str,
    middle: Option<[f64; 2]>,
) -> Result<(Vec<Experiment>, [f64; 2]), Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines().map(|line| line.replace('"', ""));
    let header = lines.next().unwrap_or_default();
    let place = |names: [&str; 2]| header.split(',').position(|column| names.contains(&column));
    let [n, d] = [place(["N", "params"]), place(["D", "tokens"])];
    let (Some(n), Some(d), Some(loss)) = (n, d, place(["loss", "loss"])) else {
        return Err(format!("`{path}` is no table that is known").into());
    };
    let unique = place(["unique_tokens", "unique_tokens"]);
    let mut found = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |place: usize| cells[place].parse::<f64>();
        let (n, d) = (cell(n)?, cell(d)?);
        // Without a limit there is one pass. With one, 20 tokens suffice for a parameter.
        let unique = unique.map(cell).transpose()?;
        let suffices = unique.map_or(f64::INFINITY, |unique| unique / 20.0);
        let unique = unique.unwrap_or(d);
        found.push(Experiment { n, d, unique, suffices, cost: 6.0 * n * d, loss: cell(loss)? });
    }
    let mean = |of: fn(&Experiment) -> f64| {
        (found.iter().map(|one| of(one).ln()).sum::<f64>() / found.len() as f64).exp()
    };
    let [n, d] = middle.unwrap_or([mean(|one| one.n), mean(|one| one.d)]);
    for one in &mut found {
        let (unique, suffices) = (one.unique / d, one.suffices / n);
        *one = Experiment { n: one.n / n, d: one.d / d, unique, suffices, ..*one };
    }
    Ok((found, [n, d]))
}
