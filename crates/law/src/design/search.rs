//! Which set of pilots is best for the money: greedy choice, then exchange.

use crate::parallel;

/// Once so many sets were tried, the best is taken as it is; few pools need as many.
const TRIES: usize = 50_000;
/// A gain below this share is rounding.
const LEAST: f64 = 1e-9;

/// The set with the least value whose costs add up to no more than the budget, in the order in
/// which each pilot brings most for its cost.
///
/// `values` gets a set and pilots to add, and returns the value with each of these; `None` adds
/// nothing. Two sets are grown, by the gain for each unit of cost and by the gain alone. In each,
/// one pilot is exchanged, added or taken out as long as that lowers the value; where it does not,
/// one is taken out and the set is grown again. This finds no proven optimum: of 40 pools of eleven
/// pilots 37 sets were the best of all.
///
/// ```
/// // The value is the distance of the sum from 10: three pilots at 1, 4 and 6, each costs itself.
/// let worth = [1.0, 4.0, 6.0];
/// let values = |set: &[usize], more: &[Option<usize>]| {
///     let sum: f64 = set.iter().map(|i| worth[*i]).sum();
///     more.iter().map(|i| (10.0 - sum - i.map_or(0.0, |i| worth[i])).abs()).collect()
/// };
/// let mut found = law::design::best_set(&worth, &[0, 1, 2], 10.0, values);
/// found.sort();
/// assert_eq!(found, [1, 2]);
/// // Now the last two exclude each other.
/// let mut found = law::design::best_set(&worth, &[0, 1, 1], 10.0, values);
/// found.sort();
/// assert_eq!(found, [0, 2]);
/// ```
pub fn best_set(
    costs: &[f64],
    places: &[usize],
    budget: f64,
    values: impl Fn(&[usize], &[Option<usize>]) -> Vec<f64> + Sync,
) -> Vec<usize> {
    let search = Search { costs, places, budget, values };
    let grown = [true, false].map(|by_cost| search.exchanged(search.grown(Vec::new(), by_cost)));
    let [a, b] = grown;
    let best = if search.value(&b) < search.value(&a) { b } else { a };
    search.in_order(best)
}

struct Search<'a, F> {
    costs: &'a [f64],
    places: &'a [usize],
    budget: f64,
    values: F,
}

/// A set and its value.
type Found = (Vec<usize>, f64);

impl<F: Fn(&[usize], &[Option<usize>]) -> Vec<f64> + Sync> Search<'_, F> {
    fn cost(&self, set: &[usize]) -> f64 {
        set.iter().map(|pilot| self.costs[*pilot]).sum()
    }

    fn value(&self, set: &[usize]) -> f64 {
        (self.values)(set, &[None])[0]
    }

    /// What may be added to a set: pilots of other places, as far as the money goes. Sums are
    /// rounded.
    fn affordable(&self, set: &[usize]) -> Vec<Option<usize>> {
        let spent = self.cost(set);
        let most = self.budget * (1.0 + LEAST);
        let taken = |pilot: &usize| set.iter().any(|one| self.places[*one] == self.places[*pilot]);
        let others = (0..self.costs.len()).filter(|pilot| !taken(pilot));
        others.filter(|pilot| spent + self.costs[*pilot] <= most).map(Some).collect()
    }

    /// A set with more pilots, each time the one with the largest gain, by its cost or alone.
    fn grown(&self, mut set: Vec<usize>, by_cost: bool) -> Vec<usize> {
        let mut now = self.value(&set);
        loop {
            let more = self.affordable(&set);
            let values = (self.values)(&set, &more);
            let gain = |(pilot, value): &(usize, f64)| {
                let cost = if by_cost { self.costs[*pilot].max(f64::MIN_POSITIVE) } else { 1.0 };
                (now - value) / cost
            };
            let each = more.into_iter().flatten().zip(values);
            let best = each.max_by(|a, b| gain(a).total_cmp(&gain(b)));
            match best.filter(|(_, value)| is_lower(*value, now)) {
                Some((pilot, value)) => {
                    set.push(pilot);
                    now = value;
                }
                None => return set,
            }
        }
    }

    fn exchanged(&self, mut set: Vec<usize>) -> Vec<usize> {
        let (mut now, mut tries) = (self.value(&set), 0);
        while tries < TRIES {
            tries += (set.len() + 1) * self.costs.len();
            // Growing again costs more, so it comes where nothing else helps.
            let found = self.best_exchange(&set).filter(|(_, value)| is_lower(*value, now));
            let regrown = || self.best_regrown(&set).filter(|(_, value)| is_lower(*value, now));
            match found.or_else(regrown) {
                Some(found) => (set, now) = found,
                None => break,
            }
        }
        set
    }

    /// The best set with one pilot exchanged, added or taken out.
    fn best_exchange(&self, set: &[usize]) -> Option<Found> {
        // The last turn takes nothing out.
        let kept: Vec<Vec<usize>> = (0..=set.len()).map(|out| without(set, out)).collect();
        let best = |kept: &Vec<usize>| {
            let more: Vec<Option<usize>> =
                self.affordable(kept).into_iter().chain([None]).collect();
            let values = (self.values)(kept, &more);
            let each = more.into_iter().zip(values);
            let (pilot, value) = each.min_by(|a, b| a.1.total_cmp(&b.1))?;
            Some((kept.iter().copied().chain(pilot).collect(), value))
        };
        lowest(parallel::map(&kept, best))
    }

    /// The best set with one pilot taken out, and grown again.
    fn best_regrown(&self, set: &[usize]) -> Option<Found> {
        let ways: Vec<(usize, bool)> =
            (0..set.len()).flat_map(|out| [(out, true), (out, false)]).collect();
        let regrow = |(out, by_cost): &(usize, bool)| {
            let grown = self.grown(without(set, *out), *by_cost);
            let value = self.value(&grown);
            Some((grown, value))
        };
        lowest(parallel::map(&ways, regrow))
    }

    /// The pilots of a set, each time the one that brings most for its cost.
    fn in_order(&self, mut left: Vec<usize>) -> Vec<usize> {
        // The same set in one order, however it was found.
        left.sort_unstable();
        let mut ordered: Vec<usize> = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let now = self.value(&ordered);
            let more: Vec<Option<usize>> = left.iter().copied().map(Some).collect();
            let values = (self.values)(&ordered, &more);
            let gain = |i: &usize| (now - values[*i]) / self.costs[left[*i]].max(f64::MIN_POSITIVE);
            let best = (0..left.len()).max_by(|a, b| gain(a).total_cmp(&gain(b))).unwrap_or(0);
            ordered.push(left.remove(best));
        }
        ordered
    }
}

/// The set with the least value.
fn lowest(found: Vec<Option<Found>>) -> Option<Found> {
    found.into_iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether a value is lower by more than rounding.
fn is_lower(value: f64, than: f64) -> bool {
    value < than - LEAST * than.abs()
}

/// A set without the pilot at a place.
fn without(set: &[usize], out: usize) -> Vec<usize> {
    set.iter().enumerate().filter(|(i, _)| *i != out).map(|(_, pilot)| *pilot).collect()
}

#[cfg(test)]
mod tests {
    use super::super::View;
    use super::*;

    /// Every set within the budget.
    fn best_of_all(costs: &[f64], budget: f64, value: &impl Fn(&[usize]) -> f64) -> f64 {
        (0..1_u32 << costs.len())
            .map(|bits| (0..costs.len()).filter(|i| bits >> i & 1 == 1).collect::<Vec<_>>())
            .filter(|set| set.iter().map(|i| costs[*i]).sum::<f64>() <= budget)
            .map(|set| value(&set))
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn on_small_pools_the_search_finds_the_best_of_all_sets_or_nearly() {
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        let places: Vec<usize> = (0..11).collect();
        let (mut exact, mut worst, rounds) = (0, 0.0_f64, 40);
        for _ in 0..rounds {
            let costs: Vec<f64> = (0..11).map(|_| 0.2 + uniform()).collect();
            let rows: Vec<Vec<Vec<f64>>> = costs
                .iter()
                .map(|cost| vec![(0..4).map(|_| 3.0 * cost * (uniform() - 0.5)).collect()])
                .collect();
            let prior: Vec<Vec<f64>> =
                (0..4).map(|i| (0..4).map(|j| f64::from(u8::from(i == j))).collect()).collect();
            let wanted = (0..4).map(|_| uniform() - 0.5).collect();
            let view = View::new(&prior, &rows, &[(wanted, 0.0)]);
            let value = |set: &[usize]| view.variances(set).unwrap()[0].ln();
            let values = |set: &[usize], more: &[Option<usize>]| {
                let with = |i: &Option<usize>| set.iter().copied().chain(*i).collect::<Vec<_>>();
                more.iter().map(|i| value(&with(i))).collect()
            };
            let found = best_set(&costs, &places, 2.0, values);
            assert!(found.iter().map(|i| costs[*i]).sum::<f64>() <= 2.0 + 1e-6);
            let best = best_of_all(&costs, 2.0, &value);
            let found = value(&found);
            exact += u32::from(found < best + 1e-9);
            worst = worst.max(found - best);
        }
        // The logarithm of a variance.
        assert!(exact >= 36 && worst < 0.5, "{exact} of {rounds}, {worst}");
    }
}
