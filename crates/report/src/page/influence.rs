//! Which run or base changes the answer most when it is left out. It explains a wide interval.

use law::uncertainty::LeftOut;
use law::{GroupLaw, Plan, Wish};

/// The base that changes enough tokens most when it is left out, and how many were left out in
/// turn. With too few bases to leave one out, it is a run.
pub(super) fn most_influential<'a>(
    group: &'a GroupLaw,
    plan: &Plan,
) -> Option<(&'a LeftOut, usize)> {
    // Token counts are compared by their ratio.
    let value = plan.enough().value()?.ln();
    let bases =
        group.replicates().iter().any(|replicate| matches!(replicate.left_out(), LeftOut::Base(_)));
    let counts = |left_out: &LeftOut| match left_out {
        LeftOut::Base(_) => true,
        LeftOut::Run(_) => !bases,
        LeftOut::Simulation(_) | LeftOut::Draw(_) => false,
    };
    let wish = Wish { doubling_gain: plan.doubling_gain(), ..Wish::default() };
    let mut moved: Vec<(f64, &LeftOut)> = Vec::new();
    for (left_out, other) in group.refits().filter(|(left_out, _)| counts(left_out)) {
        // If one refit has no answer, none can be called the most influential.
        let without = other.enough(plan.place(), &wish).ok()?.value()?.ln();
        moved.push(((without - value).abs(), left_out));
    }
    let count = moved.len();
    let most = moved.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    most.map(|(_, left_out)| (left_out, count))
}

#[cfg(test)]
mod tests {
    use law::{Settings, Table, TableRow};

    use super::*;

    /// Four sizes at three rates. Pruning the base `odd` costs 1.5 times what the others predict.
    fn law(odd: usize) -> GroupLaw {
        let mut rows = Vec::new();
        for (i, n0) in [1e8_f64, 2e8, 4e8, 8e8].into_iter().enumerate() {
            for rate in [0.15_f64, 0.25, 0.35] {
                let size =
                    (n0 / 1e9).powf(-0.4) * rate.powf(1.5) * if i == odd { 1.5 } else { 1.0 };
                let run = TableRow::run(&format!("{i}-{rate}"), n0, rate, 2.0);
                for step in 0..8 {
                    let tokens = 1e7 * 1.6_f64.powi(step);
                    let loss = 2.0 + size * (0.1 + 0.12 * (tokens / 1e9).powf(-0.5));
                    rows.push(TableRow {
                        tokens,
                        loss,
                        base: Some(format!("base-{i}")),
                        ..run.clone()
                    });
                }
            }
        }
        law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap().into_groups().remove(0)
    }

    #[test]
    fn the_base_that_differs_at_an_end_of_the_sizes_moves_the_answer_most() {
        for odd in [0, 3] {
            let group = law(odd);
            let place = LeftOut::Base(format!("base-{odd}"));
            // The question is about the size of the odd base: there the others predict another
            // answer.
            let plan = group
                .decisions()
                .iter()
                .find(|plan| plan.place().n0 == [1e8, 2e8, 4e8, 8e8][odd])
                .unwrap();
            assert_eq!(most_influential(&group, plan), Some((&place, 4)), "{plan:?}");
        }
    }
}
