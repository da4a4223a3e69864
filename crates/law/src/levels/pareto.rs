//! Weights with a heavy tail, smoothed: Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto
//! smoothed importance sampling".

/// Replaces the largest weights, which are given by their logarithms, by what a generalised Pareto
/// distribution expects there. Returns the shape of its tail: above 0.7 the weights are not to be
/// trusted. It is infinite if there are too few weights to tell.
pub(super) fn smooth(ln_weights: &mut [f64]) -> f64 {
    let count = ln_weights.len();
    let tail = (0.2 * count as f64).min(3.0 * (count as f64).sqrt()).ceil() as usize;
    if tail < FEWEST || tail >= count {
        return f64::INFINITY;
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| ln_weights[*a].total_cmp(&ln_weights[*b]));
    let most = ln_weights[order[count - 1]];
    let edge = (ln_weights[order[count - tail - 1]] - most).exp();
    let largest = &order[count - tail..];
    let beyond: Vec<f64> = largest.iter().map(|i| (ln_weights[*i] - most).exp() - edge).collect();
    // Equal weights have no tail.
    if beyond[tail - 1] <= f64::MIN_POSITIVE {
        return f64::NEG_INFINITY;
    }
    let [shape, scale] = fit(&beyond);
    if !shape.is_finite() {
        return f64::INFINITY;
    }
    for (i, place) in largest.iter().enumerate() {
        let share = (i as f64 + 0.5) / tail as f64;
        // The quantile of the distribution; a shape of 0 is an exponential.
        let off = -(-share).ln_1p();
        let x = if shape.abs() < 1e-12 { off } else { (shape * off).exp_m1() / shape };
        // A weight is never more than the largest that was found.
        ln_weights[*place] = most + (edge + scale * x).ln().min(0.0);
    }
    shape
}

/// The fewest weights that can tell the shape of a tail.
const FEWEST: usize = 5;

/// Shape and scale of a generalised Pareto distribution, from sorted samples: the estimate of Zhang
/// and Stephens (2009), drawn towards a shape of 0.5 as Vehtari et al. do.
fn fit(sorted: &[f64]) -> [f64; 2] {
    let n = sorted.len() as f64;
    let grid = 30 + n.sqrt().floor() as usize;
    let quarter = sorted[(n / 4.0 + 0.5).floor() as usize - 1];
    let last = sorted[sorted.len() - 1];
    let thetas: Vec<f64> = (1..=grid)
        .map(|i| {
            let share = (grid as f64 / (i as f64 - 0.5)).sqrt();
            1.0 / last + (1.0 - share) / (3.0 * quarter)
        })
        .collect();
    let shape = |theta: f64| sorted.iter().map(|x| (-theta * x).ln_1p()).sum::<f64>() / n;
    let profile: Vec<f64> = thetas
        .iter()
        .map(|theta| {
            let k = shape(*theta);
            n * ((-theta / k).ln() - k - 1.0)
        })
        .collect();
    let weight =
        |i: usize| 1.0 / profile.iter().map(|other| (other - profile[i]).exp()).sum::<f64>();
    let theta: f64 = thetas.iter().enumerate().map(|(i, theta)| theta * weight(i)).sum();
    let k = shape(theta);
    let scale = -k / theta;
    [(n * k + 5.0) / (n + 10.0), scale]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected is what `psislw` of ArviZ 0.23.4 gives for the same weights.
    #[test]
    fn weights_agree_with_those_of_another_program() {
        let weight = |i: u32| {
            let place = (f64::from(i * 37 % 100) + 0.5) / 100.0;
            -0.8 * place.ln() + 0.1 * f64::from(i).sin()
        };
        let mut weights: Vec<f64> = (0..100).map(weight).collect();
        let shape = smooth(&mut weights);
        assert!((shape - 0.622_028_254_517_474).abs() < 1e-12, "{shape}");
        let sum = weights.iter().map(|ln| ln.exp()).sum::<f64>().ln();
        for (i, expected) in [
            (0, -1.901_203_989_747_878),
            (27, -5.743_592_457_982_837),
            (50, -5.322_920_089_887_093),
        ] {
            assert!((weights[i] - sum - expected).abs() < 1e-12, "{i}: {}", weights[i] - sum);
        }
    }

    #[test]
    fn equal_or_few_weights_stay() {
        let mut equal = vec![0.3; 100];
        assert_eq!(smooth(&mut equal), f64::NEG_INFINITY);
        assert_eq!(equal, [0.3; 100]);
        let mut few = vec![0.0, 1.0, 2.0];
        assert_eq!(smooth(&mut few), f64::INFINITY);
        assert_eq!(few, [0.0, 1.0, 2.0]);
    }
}
