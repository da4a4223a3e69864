//! Whom the pruned models of a sweep learn from: the base that was pruned, or a cache of it.

use std::path::Path;

use model::teacher_cache::TeacherCache;

use super::base::{PlannedBase, config_of};
use super::job::{Learning, PlannedTeacher, Purpose, SweepJob};
use super::jobs::JobMaker;
use super::variant::Variant;
use crate::error::{Context, Result};
use crate::recipe::ObjectiveName;
use crate::sweep::recipe::{MEASURING, TeachKeys};

/// The name of the job that makes the cache of a base.
pub(super) fn teach_name(base: &PlannedBase<'_>) -> String {
    format!("teach-{}", base.id)
}

impl JobMaker<'_> {
    /// What a model that was pruned from `base` learns, and from whom.
    ///
    /// # Errors
    /// Where the recipe names a teacher that cannot be found.
    pub(super) fn learning(
        &self,
        base: &PlannedBase<'_>,
        objective: ObjectiveName,
        variant: &Variant,
    ) -> Result<Learning> {
        if objective == ObjectiveName::Lm {
            return Ok(Learning::default());
        }
        let keys = variant.keys().over(&self.sweep.healing()).keys();
        let word = Some(objective.name());
        if let Some(path) = keys.teacher() {
            let teacher = Some(named(path)?);
            let keys = keys.teaching(objective, path);
            return Ok(Learning { word, keys, teacher, after: None });
        }
        let (place, teacher, after) = match self.sweep.teach {
            None => {
                let config = Box::new(base.config.clone());
                (self.model_of(base), PlannedTeacher::Model(config), None)
            }
            Some(TeachKeys { top }) => {
                let cache = self.folder.cache(&base.id).into_os_string();
                (cache, PlannedTeacher::Cache { top }, Some(teach_name(base)))
            }
        };
        let place = place.into_string().ok().context("the path of a teacher is not UTF-8")?;
        let (keys, teacher) = (keys.teaching(objective, &place), Some(teacher));
        Ok(Learning { word, keys, teacher, after })
    }

    /// Writes what a base says at every position of the text that its pruned models heal on.
    pub(super) fn teach(&self, base: &PlannedBase<'_>) -> Result<SweepJob> {
        let mut command = self.command("teach");
        let healing = self.sweep.healing();
        command
            .word(self.model_of(base))
            .flag("--corpus", self.folder.heal_corpus_of(self.sweep))
            .flag("--top", self.sweep.teach.map_or(0, |teach| teach.top).to_string());
        let keys = healing.or_context(self.sweep.context).keys();
        for (key, value) in keys.words()? {
            if MEASURING.contains(&key.as_str()) {
                command.flag(&format!("--{}", key.replace('_', "-")), value);
            }
        }
        // The cache always holds temperature 1.
        let mut temperatures: Vec<String> = Vec::new();
        for keys in
            std::iter::once(&healing).chain(self.sweep.cases.iter().map(|case| &case.training))
        {
            let asked = keys.keys().temperature().filter(|asked| *asked != 1.0);
            let asked = asked.map(|asked| asked.to_string());
            temperatures.extend(asked.filter(|asked| !temperatures.contains(asked)));
        }
        if !temperatures.is_empty() {
            command.flag("--temperature", temperatures.join(","));
        }
        let folder = self.folder.cache(&base.id);
        command.flag("--out", &folder).word("--resume");
        let place = (&*teach_name(base), folder, "cache.json");
        let made_by = self.made_by(base);
        let after = made_by.as_deref().into_iter().chain(self.heal_text());
        let purpose = Purpose::Teach { base: Box::new(base.config.clone()) };
        command.job(self.program, place, after, purpose, None)
    }
}

/// A teacher that the recipe names.
fn named(path: &str) -> Result<PlannedTeacher> {
    if TeacherCache::is_at(Path::new(path)) {
        let top = TeacherCache::open(Path::new(path))?.info().top();
        return Ok(PlannedTeacher::Cache { top });
    }
    let config = config_of(path).with_context(|| format!("`teacher` is `{path}`"))?;
    Ok(PlannedTeacher::Model(Box::new(config)))
}
