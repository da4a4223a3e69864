//! How one cut is healed: as `heal` says, as cases change it, and beside that in other ways.

use crate::error::{Result, bail};
use crate::recipe::ObjectiveName;
use crate::sweep::recipe::{CasePlace, Overrides, SweepKeys};

/// One way to heal a cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Variant {
    /// What its runs are called beside the first one.
    name: Option<String>,
    seed: Option<u64>,
    /// What its runs minimise, where that is not what the sweep says.
    objectives: Option<Vec<ObjectiveName>>,
    /// In what it differs from `heal`.
    keys: Overrides,
}

impl Variant {
    /// The id of a run of it, where `run` is the id of the first.
    pub(super) fn id(&self, run: &str) -> String {
        self.name.as_ref().map_or_else(|| run.to_owned(), |name| format!("{run}-{name}"))
    }

    pub(super) fn seed(&self) -> Option<u64> {
        self.seed
    }

    pub(super) fn keys(&self) -> &Overrides {
        &self.keys
    }

    /// What its runs minimise.
    pub(super) fn objectives<'a>(&'a self, sweep: &'a SweepKeys) -> &'a [ObjectiveName] {
        self.objectives.as_ref().unwrap_or(&sweep.objectives)
    }

    /// Whether it also heals an unpruned model. That is always done on the text alone, so a further
    /// run for another objective would be the same control again.
    pub(super) fn is_of_controls(&self) -> bool {
        let on_text = |list: &Vec<ObjectiveName>| list.contains(&ObjectiveName::Lm);
        self.name.is_none() || self.objectives.as_ref().is_none_or(on_text)
    }
}

/// Counts which cases are about a run.
#[derive(Debug)]
pub(super) struct Cases<'a> {
    sweep: &'a SweepKeys,
    used: Vec<bool>,
}

impl<'a> Cases<'a> {
    pub(super) fn of(sweep: &'a SweepKeys) -> Self {
        Self { sweep, used: vec![false; sweep.cases.len()] }
    }

    /// The ways in which the cut at `place` is healed.
    ///
    /// # Errors
    /// Where two of them have one name.
    pub(super) fn variants(&mut self, place: &CasePlace<'_>) -> Result<Vec<Variant>> {
        let mut variants = vec![Variant::default()];
        for (case, used) in self.sweep.cases.iter().zip(&mut self.used) {
            if !case.is_about(place) {
                continue;
            }
            *used = true;
            if case.skip {
                variants.clear();
                continue;
            }
            if case.add.is_none() && case.seeds.is_empty() {
                for variant in &mut variants {
                    variant.keys = case.training.over(&variant.keys);
                    variant.objectives =
                        case.objectives.clone().or_else(|| variant.objectives.take());
                }
                continue;
            }
            // Beside a run that is skipped, there is nothing.
            let Some(first) = variants.first().cloned() else { continue };
            let keys = case.training.over(&first.keys);
            let objectives = case.objectives.clone().or(first.objectives);
            let mut add = |name: String, seed| -> Result<()> {
                if variants.iter().any(|variant| variant.name.as_ref() == Some(&name)) {
                    bail!("two `cases` make a run `{name}` beside one of `{}`", place.base[0]);
                }
                let (keys, objectives) = (keys.clone(), objectives.clone());
                variants.push(Variant { name: Some(name), seed, objectives, keys });
                Ok(())
            };
            let name = case.add.as_deref();
            if case.seeds.is_empty() {
                add(name.unwrap_or_default().to_owned(), None)?;
            }
            for seed in &case.seeds {
                let seed_name = format!("seed{seed}");
                let name =
                    name.map_or_else(|| seed_name.clone(), |name| format!("{name}-{seed_name}"));
                add(name, Some(*seed))?;
            }
        }
        Ok(variants)
    }

    /// Checks that every case was about a run.
    ///
    /// # Errors
    /// Where one was about none: a name in it is misspelt.
    pub(super) fn all_used(&self) -> Result<()> {
        if let Some(at) = self.used.iter().position(|used| !used) {
            bail!(
                "number {} of `cases` is about no run: its `series`, `base`, `method` or `cut` names nothing that the sweep has",
                at + 1
            );
        }
        Ok(())
    }
}
