//! Chooses which weights become zero. All scores and patterns use this code.

use std::cmp::Ordering;

use ledger::Pattern;
use model::wide::widest;
use pulp::Arch;

/// How many weights become zero, and among which group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroRule {
    pattern: Pattern,
    /// The share of weights that become zero, read only if the pattern is unstructured.
    share: f64,
}

impl ZeroRule {
    /// Zeros as the pattern says. If it is unstructured, `share` of the weights of a layer, from 0
    /// to below 1.
    pub fn new(pattern: Pattern, share: f64) -> Self {
        assert!((0.0..1.0).contains(&share), "a share is at least 0 and below 1");
        Self { pattern, share }
    }

    /// The pattern.
    pub fn pattern(self) -> Pattern {
        self.pattern
    }

    /// Columns of a group in a row of `columns`, and how many of them become zero. For unstructured
    /// zeros the row is the group, and at least one weight stays.
    pub fn group(self, columns: usize) -> (usize, usize) {
        match self.pattern {
            Pattern::Groups { keep, of } => (usize::from(of), usize::from(of - keep)),
            Pattern::Unstructured => (columns, self.until(columns, columns)),
        }
    }

    /// Unstructured zeros among the first `column` of `columns`. Each part of a row gets its share,
    /// so a row can be pruned from left to right.
    pub(crate) fn until(self, column: usize, columns: usize) -> usize {
        let wanted = (self.share * column as f64).round() as usize;
        wanted.min(columns.saturating_sub(1))
    }
}

/// Zeroes the `zeros` weights of lowest score in each group of `len` in a row. Among equal scores
/// the lower column stays.
///
/// Panics if the row is no multiple of `len`: that is a bug of the caller.
pub fn zero_lowest(row: &mut [f32], scores: &[f32], len: usize, zeros: usize) {
    assert!(row.len() == scores.len() && row.len().is_multiple_of(len), "whole groups");
    match len {
        // The two common lengths have loops of a length that the compiler knows.
        4 => fours(row, scores, zeros),
        8 => ranked::<8>(row, scores, zeros),
        _ => sorted(row, scores, len, zeros),
    }
}

/// Does what [`ranked`] does, for groups of four. It works on four groups at once, so that the
/// compiler can use vector instructions.
fn fours(row: &mut [f32], scores: &[f32], zeros: usize) {
    const SIDE: usize = 16;
    let keep = (4 - zeros) as u32;
    let (many, few) = row.as_chunks_mut::<SIDE>();
    let (many_scores, few_scores) = scores.as_chunks::<SIDE>();
    widest(
        Arch::new(),
        #[inline(always)]
        || {
            for (weights, scores) in many.iter_mut().zip(many_scores) {
                let mut rank = [0_u32; SIDE];
                for step in 1..4 {
                    for (at, rank) in rank.iter_mut().enumerate() {
                        // The three other weights of the same group, in rotation.
                        let other = (at & !3) | ((at + step) & 3);
                        let (mine, theirs) = (scores[at], scores[other]);
                        // `|` and `&` instead of `||` and `&&`: branches would keep the loop from
                        // being vectorised.
                        *rank += u32::from((theirs > mine) | ((theirs == mine) & (other < at)));
                    }
                }
                for (weight, rank) in weights.iter_mut().zip(rank) {
                    *weight = if rank < keep { *weight } else { 0.0 };
                }
            }
        },
    );
    ranked::<4>(few, few_scores, zeros);
}

/// A weight stays if fewer than `LEN - zeros` others of its group rank before it.
fn ranked<const LEN: usize>(row: &mut [f32], scores: &[f32], zeros: usize) {
    let keep = (LEN - zeros) as u32;
    let groups = row.as_chunks_mut::<LEN>().0.iter_mut().zip(scores.as_chunks::<LEN>().0);
    for (weights, scores) in groups {
        let mut rank = [0_u32; LEN];
        for i in 0..LEN {
            for j in 0..i {
                // Of two equal scores, the left one ranks first.
                let left = u32::from(scores[j] >= scores[i]);
                rank[i] += left;
                rank[j] += 1 - left;
            }
        }
        for (weight, rank) in weights.iter_mut().zip(rank) {
            *weight = if rank < keep { *weight } else { 0.0 };
        }
    }
}

fn sorted(row: &mut [f32], scores: &[f32], len: usize, zeros: usize) {
    let mut order: Vec<usize> = Vec::with_capacity(len);
    for (weights, scores) in row.chunks_exact_mut(len).zip(scores.chunks_exact(len)) {
        for at in lowest(scores, zeros, &mut order) {
            weights[*at] = 0.0;
        }
    }
}

/// Indices of the `count` lowest scores, in any order. Among equal scores the higher index goes
/// first.
pub(crate) fn lowest<'a>(scores: &[f32], count: usize, order: &'a mut Vec<usize>) -> &'a [usize] {
    order.clear();
    order.extend(0..scores.len());
    if count == 0 || scores.is_empty() {
        return &[];
    }
    let before =
        |&a: &usize, &b: &usize| -> Ordering { scores[a].total_cmp(&scores[b]).then(b.cmp(&a)) };
    // A partial sort is enough, since the result has no order.
    if count < order.len() {
        order.select_nth_unstable_by(count - 1, before);
    }
    &order[..count.min(order.len())]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zeroed(scores: &[f32], len: usize, zeros: usize) -> Vec<usize> {
        let mut row = vec![1.0; scores.len()];
        zero_lowest(&mut row, scores, len, zeros);
        (0..row.len()).filter(|&at| row[at] == 0.0).collect()
    }

    #[test]
    fn of_equal_scores_the_lower_column_stays() {
        assert_eq!(zeroed(&[1.0; 4], 4, 2), [2, 3]);
        assert_eq!(zeroed(&[0.0, 2.0, 1.0, 1.0], 4, 2), [0, 3]);
        assert_eq!(zeroed(&[1.0, 1.0, 1.0, 0.0, 1.0, 1.0], 6, 3), [3, 4, 5]);
        assert_eq!(zeroed(&[f32::INFINITY; 8], 8, 4), [4, 5, 6, 7]);
    }

    #[test]
    fn a_row_is_the_group_of_unstructured_zeros_and_never_empty() {
        let zeros = |share, columns| ZeroRule::new(Pattern::Unstructured, share).group(columns);
        assert_eq!(zeros(0.5, 10), (10, 5));
        assert_eq!(zeros(0.999, 10), (10, 9));
        assert_eq!(zeros(0.0, 10), (10, 0));
        assert_eq!(ZeroRule::new(Pattern::TWO_FOUR, 0.0).group(512), (4, 2));
        assert_eq!(ZeroRule::new(Pattern::Groups { keep: 1, of: 16 }, 0.0).group(512), (16, 15));
    }

    proptest! {
        #[test]
        fn every_group_has_its_zeros_and_keeps_the_highest(
            scores in proptest::collection::vec(0_u8..6, 24), len in prop::sample::select(vec![2_usize, 3, 4, 6, 8, 12, 24]),
            share in 0.0_f64..1.0,
        ) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let zeros = (share * len as f64) as usize;
            let gone = zeroed(&scores, len, zeros);
            for group in 0..24 / len {
                let of = group * len..(group + 1) * len;
                let (lost, kept): (Vec<usize>, Vec<usize>) = of.partition(|at| gone.contains(at));
                prop_assert_eq!(lost.len(), zeros);
                for &lost in &lost {
                    for &kept in &kept {
                        prop_assert!(scores[kept] > scores[lost] || (scores[kept] == scores[lost] && kept < lost));
                    }
                }
            }
        }
    }
}
