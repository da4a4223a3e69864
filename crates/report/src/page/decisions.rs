//! The pruned models that a law has plans for, and its answers. Only this module asks the law.

use law::{CurvePoint, GroupLaw, Place, Plan, TableRow};
use ledger::Objective;

/// Sizes within this share of each other belong in one panel.
const SAME_SIZE: f64 = 0.01;
/// How many token counts a curve is drawn through.
const STEPS: usize = 64;

/// The law's curve and its interval at one place.
#[derive(Clone, Debug, Default)]
pub(super) struct LawCurve {
    /// Tokens and loss.
    pub(super) line: Vec<[f64; 2]>,
    /// Tokens, low and high end of the mean curve's interval.
    pub(super) band: Vec<[f64; 3]>,
}

/// The plans of a group by size, smallest first. Within a size they are sorted by rate.
pub(super) fn by_size(group: &GroupLaw) -> Vec<Vec<&Plan>> {
    let mut plans: Vec<&Plan> = group.decisions().iter().collect();
    plans.sort_by(|a, b| {
        a.place().n0.total_cmp(&b.place().n0).then(a.place().rate.total_cmp(&b.place().rate))
    });
    let mut sizes: Vec<Vec<&Plan>> = Vec::new();
    for plan in plans {
        match sizes.last_mut() {
            Some(size) if is_size(size[0].place().n0, plan.place().n0) => size.push(plan),
            _ => sizes.push(vec![plan]),
        }
    }
    for size in &mut sizes {
        size.sort_by(|a, b| a.place().rate.total_cmp(&b.place().rate));
    }
    sizes
}

/// The plans of one size by rate. There are several at one rate if several bases of that size were
/// pruned alike.
pub(super) fn by_rate<'a>(size: &[&'a Plan]) -> Vec<Vec<&'a Plan>> {
    size.chunk_by(|a, b| a.place().rate == b.place().rate).map(<[&Plan]>::to_vec).collect()
}

/// The plans with different answers. Bases that differ only in their loss need equally many tokens.
pub(super) fn answers<'a>(alike: &[&'a Plan]) -> Vec<&'a Plan> {
    let mut answers: Vec<&Plan> = Vec::new();
    for &plan in alike {
        if !answers.iter().any(|known| known.enough().is_same_as(plan.enough())) {
            answers.push(plan);
        }
    }
    answers
}

/// Whether two parameter counts belong in one panel.
pub(super) fn is_size(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME_SIZE * a.max(b)
}

/// The plan for the first sentence: the middle rate of the middle size, where a law is known best.
/// If that has no number with an interval, the next plan above that has one, and then those below.
pub fn first_asked(group: &GroupLaw) -> Option<&Plan> {
    let sizes: Vec<Vec<&Plan>> = by_size(group)
        .iter()
        .map(|size| by_rate(size).iter().map(|alike| alike[0]).collect())
        .collect();
    let middle = |len: usize| len.saturating_sub(1) / 2;
    // Indices from the middle: first the middle, then those above, then those below.
    let from_middle = |len: usize| (middle(len)..len).chain((0..middle(len)).rev());
    let sure = |plan: &&Plan| plan.enough().value().is_some() && plan.enough().interval().is_some();
    let places =
        from_middle(sizes.len()).flat_map(|i| from_middle(sizes[i].len()).map(move |j| (i, j)));
    let mut plans = places.map(|(i, j)| sizes[i][j]);
    let first = plans.clone().next();
    plans.find(sure).or(first)
}

/// Whether a measured point belongs to this pruned model.
pub(super) fn is_at(row: &TableRow, group: &GroupLaw, place: &Place) -> bool {
    // Both come from the same table, so equality is exact.
    let same = [(row.n0, place.n0), (row.rate, place.rate), (row.loss0, place.loss0)];
    let objective = row.objective.as_deref().unwrap_or(Objective::LM);
    (row.series.as_str(), row.method.as_str(), objective)
        == (group.series(), group.method(), group.objective())
        && same.iter().all(|(a, b)| a == b)
}

/// The law's curve for a plan between two token counts, where the law knows it.
pub(super) fn curve(group: &GroupLaw, plan: &Plan, [low, high]: [f64; 2]) -> LawCurve {
    let step = (high / low).powf(1.0 / STEPS as f64);
    let tokens = (0..=STEPS).map(|i| low * step.powi(i as i32));
    let points = group.curve(plan.subject(), plan.place(), tokens).unwrap_or_default();
    let ends = |point: &CurvePoint| point.mean().map(|[low, high]| [point.tokens(), low, high]);
    LawCurve {
        line: points.iter().map(|point| [point.tokens(), point.loss()]).collect(),
        band: points.iter().filter_map(ends).collect(),
    }
}

/// The gain of each doubling, from the fewest tokens to the most, as points of a plot.
pub(super) fn doublings(plan: &Plan) -> Vec<[f64; 2]> {
    plan.doublings().iter().map(|doubling| [doubling.from(), doubling.gain()]).collect()
}
