//! The front of loss against size and cost, and a thinner one for people to read.

use super::offer::{Allocation, Offer};

/// The first step of loss by which a front is thinned, nats.
const FIRST_STEP: f64 = 0.001;

impl Allocation {
    /// A part of the front with at most `most` offers, and the step in nats that it was thinned by.
    /// Each offer left out has a substitute: no dearer, no larger, and worse by at most the step.
    /// The step is 0 if nothing is left out.
    ///
    /// ```
    /// use law::plan::{Candidate, Limits};
    /// use law::{Place, Settings, Table, TableRow, Wish};
    /// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, method: "depth-list".into(), ..TableRow::run("a", 1e9, 0.25, 2.0) };
    /// let law = law::fit(&Table::new([1e4, 1e5, 1e6, 1e7].map(row))?, &Settings::default())?;
    /// let candidate = Candidate {
    ///     model: None, series: "unnamed".into(), method: "depth-list".into(),
    ///     objective: None, place: Place::new(1e9, 0.25, 2.0)?, embedding: 0.0,
    /// };
    /// let found = law.allocate(&[candidate], &Limits::default(), &Wish::default())?;
    /// let (few, step) = found.thinned(5);
    /// assert!(few.len() <= 5 && found.front().len() > 5 && step > 0.0);
    /// assert_eq!(few[0], &found.front()[0]);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn thinned(&self, most: usize) -> (Vec<&Offer>, f64) {
        let mut step = 0.0;
        loop {
            let kept = thin(&self.front, step);
            if kept.len() <= most.max(1) || step > 1e6 {
                return (kept, step);
            }
            step = (2.0 * step).max(FIRST_STEP);
        }
    }
}

/// Goes from the cheapest offer on. Keeps an offer if no kept one is nearly as good.
fn thin(front: &[Offer], step: f64) -> Vec<&Offer> {
    let mut kept: Vec<&Offer> = Vec::new();
    for offer in front {
        let nearly = |other: &&Offer| {
            other.parameters <= offer.parameters && other.loss <= offer.loss + step
        };
        if step == 0.0 || !kept.iter().any(nearly) {
            kept.push(offer);
        }
    }
    kept
}

/// The offers that no other beats, cheapest first. One offer beats another if it is at least as
/// good in loss, size and cost, and better in one.
pub(super) fn front(mut offers: Vec<Offer>) -> Vec<Offer> {
    let key = |offer: &Offer| [offer.loss, offer.cost.flops, offer.parameters];
    offers.sort_by(|a, b| key(a).partial_cmp(&key(b)).expect("offers hold no NaN"));
    // Offers come sorted by loss, so no earlier one has more loss. `edge` holds their Pareto
    // front of cost and size, by rising cost and falling size. An offer is kept only if no corner
    // of it is as cheap and as small.
    let mut edge: Vec<[f64; 2]> = Vec::new();
    let mut front = Vec::new();
    for offer in offers {
        let [_, flops, size] = key(&offer);
        let at = edge.partition_point(|corner| corner[0] <= flops);
        if at > 0 && edge[at - 1][1] <= size {
            continue;
        }
        // The new corner hides those that are as dear and as large.
        let from = edge.partition_point(|corner| corner[0] < flops);
        let shown = edge[from..].partition_point(|corner| corner[1] >= size);
        edge.splice(from..from + shown, [[flops, size]]);
        front.push(offer);
    }
    front.sort_by(|a, b| a.cost.flops.total_cmp(&b.cost.flops).then(b.loss.total_cmp(&a.loss)));
    front
}
