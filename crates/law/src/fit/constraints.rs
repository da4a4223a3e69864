//! What is known about constants before a fit: a constant is set to a number or held within bounds.

use std::collections::BTreeMap;

use crate::error::{Fault, Result};
use crate::form::{Form, distance};
use crate::row::Scale;

/// Constants that are set or bounded, by name.
///
/// A bound replaces the form's own bound and its sign rule: `N_C` may then fall below 0. A `delta`
/// that is set or bounded is no longer bounded through `alpha + delta`. The numbers are in the
/// units given to [`Constraints::new`].
///
/// ```
/// use law::fit::{Constraints, Loss, fit_within};
/// use law::{Row, Scale, Table, TableRow, form};
/// let form = form::by_name("p2-one-size-one-rate")?;
/// let row = |tokens: f64| TableRow { loss: 2.3 + 0.2 * tokens.powf(-0.5), tokens: tokens * 1e9, ..TableRow::run("a", 1e9, 0.25, 2.0) };
/// let table = Table::new([0.1, 0.2, 0.4, 0.8].map(row))?;
/// let runs: Vec<_> = table.groups()[0].runs().iter().collect();
/// let constraints = Constraints::new(Scale::BILLIONS).fix("beta", 0.5)?.bound("E", 0.0, 0.25)?;
/// let fit = fit_within(form, &runs, 16, Loss::LeastSquares, &constraints)?;
/// let constants = fit.constants(&Scale::BILLIONS);
/// assert_eq!((constants[1], constants[2]), (0.25, 0.5)); // E at its upper bound, beta as it was set
/// assert_eq!(fit.at_bound(), ["E"]);
/// let error = Constraints::new(Scale::BILLIONS).fix("betta", 0.5)?.check(form).unwrap_err();
/// assert_eq!(error.to_string(), "form `p2-one-size-one-rate` has no constant `betta`; the nearest is `beta`, and all are `D_C`, `E`, `beta`");
/// # Ok::<(), law::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Constraints {
    units: Scale,
    ends: BTreeMap<String, [f64; 2]>,
}

impl Default for Constraints {
    /// No constraints, in billions.
    fn default() -> Self {
        Self::new(Scale::BILLIONS)
    }
}

impl Constraints {
    /// No constraints yet. Those added later are in these units of size and tokens.
    pub fn new(units: Scale) -> Self {
        Self { units, ends: BTreeMap::new() }
    }

    /// Sets a constant.
    ///
    /// # Errors
    /// If the value is not finite, or the constant is already constrained.
    pub fn fix(self, name: &str, value: f64) -> Result<Self> {
        match value.is_finite() {
            true => self.bound(name, value, value),
            false => {
                Err(Fault::Constraint { name: name.to_owned(), found: value.to_string() }.into())
            }
        }
    }

    /// Holds a constant between two bounds; an infinite one is open.
    ///
    /// # Errors
    /// If the bounds do not ascend, both are open, or the constant is already constrained.
    pub fn bound(mut self, name: &str, low: f64, high: f64) -> Result<Self> {
        // NaN fails the first comparison.
        let sound = low <= high && low < f64::INFINITY && high > f64::NEG_INFINITY;
        if !sound || (low.is_infinite() && high.is_infinite()) {
            return Err(Fault::Constraint {
                name: name.to_owned(),
                found: format!("{low}..{high}"),
            }
            .into());
        }
        match self.ends.insert(name.to_owned(), [low, high]) {
            None => Ok(self),
            Some(_) => Err(Fault::ConstrainedTwice { name: name.to_owned() }.into()),
        }
    }

    /// Whether no constant is constrained.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The constants that are set, with their values, sorted by name.
    pub fn fixed(&self) -> impl Iterator<Item = (&str, f64)> {
        self.ends
            .iter()
            .filter(|(_, [low, high])| low == high)
            .map(|(name, [value, _])| (name.as_str(), *value))
    }

    /// The constants that are bounded, with their bounds, sorted by name.
    pub fn bounded(&self) -> impl Iterator<Item = (&str, [f64; 2])> {
        self.ends
            .iter()
            .filter(|(_, [low, high])| low < high)
            .map(|(name, ends)| (name.as_str(), *ends))
    }

    /// Checks that the form has every constrained constant.
    ///
    /// # Errors
    /// If it lacks one, with the nearest name.
    pub fn check(&self, form: &dyn Form) -> Result<()> {
        let Some(unknown) = self.ends.keys().find(|name| form.position(name).is_none()) else {
            return Ok(());
        };
        let names: Vec<&str> = form.parameters().iter().map(|parameter| parameter.name).collect();
        Err(Fault::UnknownConstant {
            form: form.name(),
            found: unknown.clone(),
            nearest: names
                .iter()
                .min_by_key(|name| distance(unknown, name))
                .copied()
                .unwrap_or_default(),
            known: names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        }
        .into())
    }

    /// The names of constrained constants that the form lacks.
    pub(crate) fn foreign(&self, form: &dyn Form) -> Vec<&str> {
        self.ends.keys().map(String::as_str).filter(|name| form.position(name).is_none()).collect()
    }

    /// The same constraints, without these constants.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let mut less = self.clone();
        less.ends.retain(|name, _| !names.contains(&name.as_str()));
        less
    }

    pub(super) fn units(&self) -> Scale {
        self.units
    }

    pub(super) fn ends(&self, name: &str) -> Option<[f64; 2]> {
        self.ends.get(name).copied()
    }

    /// Whether a constrained constant changes with the units. If so, its bounds hold in no other
    /// gauge.
    pub(super) fn need_units(&self, form: &dyn Form) -> bool {
        // Doubling every unit shows it: a constant of 1 that stays 1 has no unit.
        let ones = vec![1.0; form.parameters().len()];
        let mut scaled = ones.clone();
        form.rescale(&mut scaled, &Scale { n0: 2.0, rate: 2.0, tokens: 2.0 });
        let changes = |name: &String| form.position(name).is_some_and(|i| scaled[i] != ones[i]);
        self.ends.keys().any(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_constraint_is_refused() {
        let none = Constraints::default;
        for (low, high) in
            [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::NAN), (f64::INFINITY, f64::INFINITY)]
        {
            assert!(none().bound("E", low, high).is_err(), "{low} {high}");
        }
        assert!(none().bound("E", f64::NEG_INFINITY, f64::INFINITY).is_err());
        assert!(none().fix("E", f64::INFINITY).is_err());
        let twice = none().fix("E", 0.0).unwrap().bound("E", 0.0, 1.0).unwrap_err();
        assert_eq!(twice.to_string(), "`E` is constrained twice");
        assert_eq!(
            none().bound("E", 2.0, 1.0).unwrap_err().to_string(),
            "`E` cannot be held at 2..1, expected a finite number, or LOW..HIGH ascending with one end at least"
        );
    }

    #[test]
    fn only_what_follows_the_units_is_bound_to_them() {
        let p2 = crate::form::by_name("p2").unwrap();
        let shifted = crate::form::by_name("p2-shifted").unwrap();
        for (name, form, needs) in
            [("alpha", p2, false), ("E", p2, true), ("D_s", shifted, true), ("gamma", p2, false)]
        {
            assert_eq!(
                Constraints::default().fix(name, 0.3).unwrap().need_units(form),
                needs,
                "{name}"
            );
        }
    }
}
