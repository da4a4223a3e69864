//! How much a set of pilots tells, in a world where all numbers follow the constants along lines.
//!
//! With a normal prior and lines the posterior variance of a number is known before any pilot is
//! made: it does not depend on what they measure (Chaloner and Verdinelli 1995). All that is needed
//! is how pilots and number vary together, so a set costs the cube of its own rows only.

use std::ops::Range;

/// One world: how the rows of all pilots vary together under the prior, and with each number.
#[derive(Clone, Debug)]
pub struct View {
    /// The rows of each pilot.
    rows: Vec<Range<usize>>,
    kernel: Vec<Vec<f64>>,
    numbers: Vec<Number>,
}

#[derive(Clone, Debug)]
struct Number {
    /// How it varies with each row.
    reach: Vec<f64>,
    /// Its variance before any pilot.
    before: f64,
    /// The variance that no pilot takes away.
    own: f64,
}

impl View {
    /// A world by the prior covariance of its constants, the rows of each pilot, and the slopes of
    /// each number with the variance that no pilot takes away.
    ///
    /// A row holds slopes by the constants, over the deviation of what is measured: the information
    /// of a pilot is the sum of the squares of its rows. All must have the length of the
    /// covariance.
    ///
    /// ```
    /// use law::design::View;
    /// // A line through the origin and one point at 2, measured to 0.1; wanted at 4. Bayes' rule
    /// // for one constant gives 1 / (1 + (2 / 0.1)^2), times 4^2.
    /// let view = View::new(&[vec![1.0]], &[vec![vec![2.0 / 0.1]]], &[(vec![4.0], 0.0)]);
    /// let found = view.variances(&[0]).unwrap()[0];
    /// assert!((found - 16.0 / 401.0).abs() < 1e-12);
    /// assert_eq!(view.variances(&[]).unwrap(), [16.0]);
    /// ```
    pub fn new(prior: &[Vec<f64>], pilots: &[Vec<Vec<f64>>], numbers: &[(Vec<f64>, f64)]) -> Self {
        let spread = |row: &[f64]| -> Vec<f64> {
            let mut out = vec![0.0; prior.len()];
            for (x, column) in row.iter().zip(prior).filter(|(x, _)| **x != 0.0) {
                out.iter_mut().zip(column).for_each(|(out, of)| *out += x * of);
            }
            out
        };
        let all: Vec<&Vec<f64>> = pilots.iter().flatten().collect();
        let spreads: Vec<Vec<f64>> = all.iter().map(|row| spread(row)).collect();
        let mut start = 0;
        let range = |pilot: &Vec<Vec<f64>>| {
            let range = start..start + pilot.len();
            start = range.end;
            range
        };
        let number = |(slopes, own): &(Vec<f64>, f64)| Number {
            reach: spreads.iter().map(|spread| dot(spread, slopes)).collect(),
            before: dot(&spread(slopes), slopes),
            own: *own,
        };
        Self {
            rows: pilots.iter().map(range).collect(),
            kernel: spreads
                .iter()
                .map(|spread| all.iter().map(|row| dot(spread, row)).collect())
                .collect(),
            numbers: numbers.iter().map(number).collect(),
        }
    }

    /// The variance of each number after some pilots. `None` where rounding leaves no answer.
    pub fn variances(&self, chosen: &[usize]) -> Option<Vec<f64>> {
        self.after(chosen)?.variances(self)
    }

    /// What is left after some pilots, to try further ones on. `None` where rounding leaves no
    /// answer.
    pub fn after(&self, chosen: &[usize]) -> Option<After> {
        let none = vec![Vec::new(); self.numbers.len()];
        let mut after = After { rows: Vec::new(), factor: Vec::new(), told: none };
        chosen.iter().all(|pilot| after.add(self, *pilot)).then_some(after)
    }
}

/// What some pilots tell, prepared for further ones.
#[derive(Clone, Debug)]
pub struct After {
    /// The rows of the pilots.
    rows: Vec<usize>,
    /// The lower factor of the identity plus how these vary together.
    factor: Vec<Vec<f64>>,
    /// By number: what each row takes from its variance, as a root.
    told: Vec<Vec<f64>>,
}

impl After {
    /// The variance of each number.
    pub fn variances(&self, view: &View) -> Option<Vec<f64>> {
        let none = vec![Vec::new(); view.numbers.len()];
        self.left(view, &none)
    }

    /// The variance of each number after one pilot more.
    pub fn variances_with(&self, view: &View, pilot: usize) -> Option<Vec<f64>> {
        let [_, told] = self.of_rows(view, pilot)?;
        self.left(view, &told)
    }

    fn left(&self, view: &View, more: &[Vec<f64>]) -> Option<Vec<f64>> {
        let numbers = view.numbers.iter().zip(self.told.iter().zip(more));
        let variance = |(number, (told, more)): (&Number, (&Vec<f64>, &Vec<f64>))| {
            let left = number.before - dot(told, told) - dot(more, more);
            // A variance below what is told by twelve digits is what rounding leaves.
            left.is_finite().then(|| left.max(1e-12 * number.before) + number.own)
        };
        numbers.map(variance).collect()
    }

    /// The rows of the factor that a pilot adds, and what they tell of each number.
    fn of_rows(&self, view: &View, pilot: usize) -> Option<[Vec<Vec<f64>>; 2]> {
        let own = view.rows[pilot].clone();
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(own.len());
        let mut told = vec![Vec::with_capacity(own.len()); view.numbers.len()];
        for place in own.clone() {
            let kernel = &view.kernel[place];
            let mut row = Vec::with_capacity(self.rows.len() + factor.len() + 1);
            for (i, other) in self.rows.iter().enumerate() {
                row.push((kernel[*other] - dot(&row, &self.factor[i])) / self.factor[i][i]);
            }
            for (i, other) in own.clone().take(factor.len()).enumerate() {
                let diagonal = factor[i][factor[i].len() - 1];
                row.push((kernel[other] - dot(&row, &factor[i])) / diagonal);
            }
            let left = kernel[place] + 1.0 - dot(&row, &row);
            // This refuses NaN too.
            if !(left > 0.0 && left.is_finite()) {
                return None;
            }
            for (number, (before, told)) in view.numbers.iter().zip(self.told.iter().zip(&mut told))
            {
                let known = dot(&row, before) + dot(&row[self.rows.len()..], told);
                told.push((number.reach[place] - known) / left.sqrt());
            }
            row.push(left.sqrt());
            factor.push(row);
        }
        Some([factor, told])
    }

    fn add(&mut self, view: &View, pilot: usize) -> bool {
        let Some([factor, told]) = self.of_rows(view, pilot) else { return false };
        self.factor.extend(factor);
        self.rows.extend(view.rows[pilot].clone());
        self.told.iter_mut().zip(told).for_each(|(all, told)| all.extend(told));
        true
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variance by the textbook: invert the prior's precision plus the information.
    fn by_precision(prior: [[f64; 2]; 2], rows: &[[f64; 2]], slopes: [f64; 2]) -> f64 {
        let inverse = |m: [[f64; 2]; 2]| {
            let volume = m[0][0] * m[1][1] - m[0][1] * m[1][0];
            [[m[1][1] / volume, -m[0][1] / volume], [-m[1][0] / volume, m[0][0] / volume]]
        };
        let mut precision = inverse(prior);
        for row in rows {
            for i in 0..2 {
                for j in 0..2 {
                    precision[i][j] += row[i] * row[j];
                }
            }
        }
        let covariance = inverse(precision);
        (0..2).map(|i| (0..2).map(|j| slopes[i] * covariance[i][j] * slopes[j]).sum::<f64>()).sum()
    }

    #[test]
    fn variances_agree_with_the_inverse_of_the_precision() {
        let prior = [[2.0, 0.3], [0.3, 0.5]];
        let pilots = [vec![[1.0, 0.5], [0.2, -3.0]], vec![[4.0, 1.0]], vec![[0.0, 2.0]]];
        let slopes = [1.5, -2.0];
        let view = View::new(
            &prior.map(|row| row.to_vec()),
            &pilots
                .iter()
                .map(|pilot| pilot.iter().map(|row| row.to_vec()).collect())
                .collect::<Vec<_>>(),
            &[(slopes.to_vec(), 0.25)],
        );
        for chosen in [vec![], vec![0], vec![2, 1], vec![0, 1, 2], vec![1, 1]] {
            let rows: Vec<[f64; 2]> = chosen.iter().flat_map(|i| pilots[*i].clone()).collect();
            let expected = by_precision(prior, &rows, slopes) + 0.25;
            let found = view.variances(&chosen).unwrap()[0];
            assert!((found - expected).abs() < 1e-12, "{chosen:?}: {found} {expected}");
            if let Some((last, before)) = chosen.split_last() {
                let after = view.after(before).unwrap();
                let with = after.variances_with(&view, *last).unwrap()[0];
                assert!((with - found).abs() < 1e-12, "{chosen:?}: {with} {found}");
            }
        }
    }
}
