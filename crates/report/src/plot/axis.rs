//! What an axis shows, on which scale, and its range.

/// An axis: its label, its scale and its range.
#[derive(Clone, Debug, PartialEq)]
pub struct PlotAxis {
    label: String,
    pub(super) scale: AxisScale,
    pub(super) unit: Unit,
    pub(super) range: [f64; 2],
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisScale {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm.
    Log,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As they are.
    Plain,
    /// `200K`, `1M`.
    Count,
}

impl PlotAxis {
    /// An axis over a range. `None` if the range is not finite, not ascending, or not positive on a
    /// logarithmic axis.
    pub fn new(label: &str, scale: AxisScale, unit: Unit, range: [f64; 2]) -> Option<Self> {
        let [low, high] = range;
        // If a range is narrower than the precision of its ends, its places cannot be told apart.
        let wide = (high - low).is_finite() && high - low > 1e-12 * low.abs().max(high.abs());
        let sound = low.is_finite()
            && high.is_finite()
            && wide
            && (scale == AxisScale::Linear || low > 0.0);
        sound.then(|| Self { label: label.to_owned(), scale, unit, range })
    }

    /// An axis around these values, with some room. Values that it cannot show are ignored.
    pub fn around(
        label: &str,
        scale: AxisScale,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        let fits = |x: &f64| x.is_finite() && (scale == AxisScale::Linear || *x > 0.0);
        let ends = values.into_iter().filter(fits).fold(None, |ends: Option<[f64; 2]>, x| {
            Some(ends.map_or([x, x], |[low, high]| [low.min(x), high.max(x)]))
        });
        let [low, high] = ends?;
        let range = match scale {
            AxisScale::Linear => {
                // A single value gets an axis too, with room on both sides.
                let room = if high > low { 0.06 * (high - low) } else { 0.1 * low.abs().max(1.0) };
                [low - room, high + room]
            }
            AxisScale::Log => {
                let room = if high > low { (high / low).powf(0.04) } else { 2.0 };
                [low / room, high * room]
            }
        };
        Self::new(label, scale, unit, range)
    }

    /// The position of a value: 0 at the low end, 1 at the high end. `None` if it has none.
    pub fn place(&self, x: f64) -> Option<f64> {
        let [low, high] = self.range;
        let share = match self.scale {
            AxisScale::Linear => (x - low) / (high - low),
            AxisScale::Log => (x / low).ln() / (high / low).ln(),
        };
        // Positions far outside are cut, because SVG coordinates must stay short.
        share.is_finite().then(|| share.clamp(-9.0, 9.0))
    }

    /// The low and the high end.
    pub fn range(&self) -> [f64; 2] {
        self.range
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_cannot_be_are_none() {
        let axis = |scale, range| PlotAxis::new("x", scale, Unit::Plain, range);
        for range in
            [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY], [-f64::MAX, f64::MAX]]
        {
            assert_eq!(axis(AxisScale::Linear, range), None, "{range:?}");
        }
        assert_eq!(axis(AxisScale::Log, [0.0, 1.0]), None);
        assert_eq!(PlotAxis::around("x", AxisScale::Log, Unit::Plain, [-1.0, f64::NAN]), None);
    }

    #[test]
    fn an_axis_holds_its_values_and_one_value_too() {
        for values in [vec![3.0], vec![0.0], vec![1e-3, 5.0], vec![-4.0, 2.0]] {
            let axis =
                PlotAxis::around("x", AxisScale::Linear, Unit::Plain, values.clone()).unwrap();
            assert!(
                values.iter().all(|x| axis.place(*x).is_some_and(|at| (0.0..=1.0).contains(&at)))
            );
        }
        let axis = PlotAxis::around("x", AxisScale::Log, Unit::Plain, [1.0, 100.0]).unwrap();
        assert!((axis.place(10.0).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((axis.place(0.0), axis.place(-1.0), axis.place(1e300)), (None, None, Some(9.0)));
    }
}
