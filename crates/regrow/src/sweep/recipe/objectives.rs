//! Checks what the runs of a sweep minimise, and from whom they learn.

use std::path::Path;

use super::check::{check_path, unique};
use super::keys::SweepKeys;
use super::training::Overrides;
use crate::error::{Result, bail};
use crate::recipe::ObjectiveName;

/// Refuses lists without an objective, and words about a teacher that nothing reads.
pub(super) fn check_objectives(sweep: &SweepKeys) -> Result<()> {
    let of_cases = || sweep.cases.iter().filter_map(|case| case.objectives.as_ref());
    for list in std::iter::once(&sweep.objectives).chain(of_cases()) {
        if list.is_empty() {
            bail!("`objectives` is empty, expected one or more of `lm`, `distil` and `mix`");
        }
        unique("objectives", list.iter())?;
    }
    for (section, keys) in [("base", &sweep.base), ("settle", &sweep.settle)] {
        if let Some(key) = keys.as_ref().and_then(|keys| said(&keys.0).next()) {
            bail!(
                "`{key}` stands in `{section}`, which trains without a teacher: expected it in `heal`"
            );
        }
    }
    let all = || of_cases().chain([&sweep.objectives]).flatten();
    let is_taught = all().any(|name| *name != ObjectiveName::Lm);
    let is_mixed = all().any(|name| *name == ObjectiveName::Mix);
    let of_cases = sweep.cases.iter().map(|case| &case.training);
    for keys in std::iter::once(&sweep.heal.0).chain(of_cases) {
        for key in said(keys) {
            if !is_taught || (key == "distil_weight" && !is_mixed) {
                let expected = if key == "distil_weight" { "`mix`" } else { "`distil` or `mix`" };
                bail!("`{key}` is given, and no run reads it: expected {expected} in `objectives`");
            }
        }
        if let Some(teacher) = keys.keys().teacher() {
            check_path("teacher", Path::new(teacher))?;
        }
    }
    match sweep.teach {
        Some(_) if !is_taught => {
            bail!(
                "`teach` is given, and no run reads its cache: expected `distil` or `mix` in `objectives`"
            )
        }
        Some(teach) if teach.top == 0 => bail!("`top` of `teach` is 0, expected 1 or more"),
        _ => Ok(()),
    }
}

/// The keys about a teacher that are said.
fn said(keys: &Overrides) -> impl Iterator<Item = &'static str> {
    let keys = keys.keys();
    let said = [
        ("teacher", keys.teacher().is_some()),
        ("temperature", keys.temperature().is_some()),
        ("distil_weight", keys.has_distil_weight()),
    ];
    said.into_iter().filter_map(|(key, is_said)| is_said.then_some(key))
}
