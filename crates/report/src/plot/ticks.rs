//! The marks of an axis and their labels.

use ledger::trimmed;

use super::axis::{AxisScale, PlotAxis, Unit};
use crate::number::significant;

/// One mark of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Its value.
    pub(crate) at: f64,
    /// Its label.
    pub(crate) label: String,
}

impl PlotAxis {
    /// Round values inside the range, ascending, at most `most` of them. No two have the same
    /// label.
    pub(crate) fn ticks(&self, most: usize) -> Vec<Tick> {
        // A single mark shows no scale.
        let most = most.clamp(2, 50);
        let [low, high] = self.range;
        let values = match self.scale {
            AxisScale::Linear => steps(low, high, most),
            AxisScale::Log => powers(low, high, most).unwrap_or_else(|| steps(low, high, most)),
        };
        let mut ticks: Vec<Tick> =
            values.into_iter().map(|at| Tick { at, label: self.unit.label(at) }).collect();
        // On a narrow axis rounded labels may repeat.
        ticks.dedup_by(|b, a| a.label == b.label);
        ticks
    }
}

impl Unit {
    fn label(self, x: f64) -> String {
        let suffixed = |unit: f64, suffix: &str| format!("{}{suffix}", significant(x / unit, 7));
        match (self, x.abs()) {
            (Self::Count, ..1e3) | (Self::Plain, _) => trimmed(&significant(x, 7)),
            (Self::Count, ..1e6) => suffixed(1e3, "K"),
            (Self::Count, ..1e9) => suffixed(1e6, "M"),
            (Self::Count, ..1e12) => suffixed(1e9, "B"),
            (Self::Count, _) => suffixed(1e12, "T"),
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn steps(low: f64, high: f64, most: usize) -> Vec<f64> {
    let least = (high - low) / most as f64;
    // The step is 1, 2 or 5 times a power of ten: the smallest one that gives few enough marks.
    let exponent = least.log10().floor();
    let power = 10_f64.powf(exponent);
    // Dividing by an exact power of ten gives 0.3, while multiplying by 0.1 gives
    // 0.30000000000000004.
    let times = |count: f64, mantissa: f64| match exponent < 0.0 {
        true => count * mantissa / 10_f64.powf(-exponent),
        false => count * mantissa * power,
    };
    for mantissa in [1.0, 2.0, 5.0, 10.0, 20.0] {
        let (first, last) =
            ((low / (mantissa * power)).ceil(), (high / (mantissa * power)).floor());
        let count = last - first + 1.0;
        if (1.0..=most as f64).contains(&count) {
            let values = (0..count as usize).map(|i| times(first + i as f64, mantissa));
            return values.filter(|x| (low..=high).contains(x)).collect();
        }
    }
    Vec::new()
}

/// Powers of ten with as many marks between them as fit. `None` if fewer than two fit.
fn powers(low: f64, high: f64, most: usize) -> Option<Vec<f64>> {
    const BETWEEN: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let power = |exponent: i32| match exponent {
        ..0 => 1.0 / 10_f64.powi(-exponent),
        _ => 10_f64.powi(exponent),
    };
    let within = |stride: usize, mantissas: &[f64]| -> Vec<f64> {
        (first..=last)
            .step_by(stride)
            .flat_map(|exponent| mantissas.iter().map(move |mantissa| mantissa * power(exponent)))
            .filter(|x| (low..=high).contains(x))
            .collect()
    };
    let dense =
        BETWEEN.iter().map(|mantissas| within(1, mantissas)).find(|values| values.len() <= most);
    // Over many powers of ten, some are left out at equal distances.
    let values = dense.unwrap_or_else(|| {
        let stride = (last.abs_diff(first) as usize + 1).div_ceil(most);
        within(stride, &[1.0])
    });
    (values.len() >= 2).then_some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scale: AxisScale, unit: Unit, range: [f64; 2], most: usize) -> Vec<String> {
        let axis = PlotAxis::new("x", scale, unit, range).unwrap();
        axis.ticks(most).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn marks_stand_at_round_numbers() {
        assert_eq!(
            labels(AxisScale::Linear, Unit::Plain, [2.93, 3.61], 5),
            ["3", "3.2", "3.4", "3.6"]
        );
        assert_eq!(
            labels(AxisScale::Linear, Unit::Plain, [-0.12, 0.11], 5),
            ["−0.1", "−0.05", "0", "0.05", "0.1"]
        );
        assert_eq!(
            labels(AxisScale::Log, Unit::Count, [9e3, 1.1e6], 6),
            ["10K", "30K", "100K", "300K", "1M"]
        );
        assert_eq!(
            labels(AxisScale::Log, Unit::Count, [2.5e5, 4.5e5], 5),
            ["250K", "300K", "350K", "400K", "450K"]
        );
        assert_eq!(
            labels(AxisScale::Log, Unit::Plain, [0.002, 0.7], 6),
            ["0.003", "0.01", "0.03", "0.1", "0.3"]
        );
        assert_eq!(
            labels(AxisScale::Log, Unit::Count, [1.0, 1e18], 4),
            ["1", "100K", "10B", "1000T"]
        );
    }

    proptest! {
        #[test]
        fn marks_ascend_inside_the_range_with_labels_of_their_own(
            low in -1e9..1e9_f64, span in 1e-6..1e9_f64, most in 2..12_usize,
        ) {
            let range = [low, low + span.max(low.abs() * 1e-4)];
            check(&PlotAxis::new("x", AxisScale::Linear, Unit::Count, range).unwrap(), most)?;
            check(&PlotAxis::new("x", AxisScale::Linear, Unit::Plain, range).unwrap(), most)?;
        }

        #[test]
        fn marks_of_logarithmic_axes_do_too(low in 1e-12..1e15_f64, factor in 1.01..1e9_f64, most in 2..12_usize) {
            let range = [low, low * factor];
            check(&PlotAxis::new("x", AxisScale::Log, Unit::Count, range).unwrap(), most)?;
            check(&PlotAxis::new("x", AxisScale::Log, Unit::Plain, range).unwrap(), most)?;
        }
    }

    fn check(axis: &PlotAxis, most: usize) -> Result<(), TestCaseError> {
        let ticks = axis.ticks(most);
        prop_assert!(!ticks.is_empty() && ticks.len() <= most, "{:?} for {:?}", ticks, axis);
        prop_assert!(ticks.iter().all(|tick| (axis.range[0]..=axis.range[1]).contains(&tick.at)));
        for pair in ticks.windows(2) {
            prop_assert!(pair[0].at < pair[1].at && pair[0].label != pair[1].label, "{:?}", pair);
        }
        Ok(())
    }
}
