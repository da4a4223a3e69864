//! Cases: runs of a sweep that differ from `heal`, or are made beside it.

use serde::Deserialize;

use super::training::Overrides;
use crate::recipe::ObjectiveName;

/// Keys that decide how losses are measured. All runs of a sweep are measured alike.
pub(crate) const MEASURING: [&str; 5] =
    ["context", "eval_convention", "eval_context", "eval_stride", "eval_tokens"];

/// Which runs, and in what they differ. Later cases win over earlier ones.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct CaseKeys {
    series: Option<Vec<String>>,
    base: Option<Vec<String>>,
    method: Option<Vec<String>>,
    cut: Option<Vec<String>>,
    /// The runs are not made.
    pub(crate) skip: bool,
    /// The name of a further run beside each.
    pub(crate) add: Option<String>,
    /// A further run beside each for every seed.
    pub(crate) seeds: Vec<u64>,
    /// What the runs minimise, instead of the `objectives` of the sweep.
    pub(crate) objectives: Option<Vec<ObjectiveName>>,
    pub(crate) training: Overrides,
}

/// What a case is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CasePlace<'a> {
    pub(crate) series: &'a str,
    /// The base's id, and the name of its size or model.
    pub(crate) base: [&'a str; 2],
    /// The method, `none` for a control.
    pub(crate) method: &'a str,
    /// The short name of the cut, such as `2of6` or `0.17`.
    pub(crate) cut: &'a str,
}

impl TryFrom<toml::Table> for CaseKeys {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        if let Some(key) = MEASURING.into_iter().find(|key| table.contains_key(*key)) {
            return Err(format!(
                "`{key}` has no place in `cases`: all runs of a sweep are measured alike"
            ));
        }
        if table.contains_key("seed") {
            return Err("`seed` has no place in `cases`, expected `seeds = [2]`".into());
        }
        let mut take = |key: &str| table.remove(key);
        let skip = match take("skip") {
            None => false,
            Some(toml::Value::Boolean(skip)) => skip,
            Some(other) => return Err(format!("`skip` is {other}, expected true or false")),
        };
        let add = match take("add") {
            None => None,
            Some(toml::Value::String(name)) => Some(name),
            Some(other) => return Err(format!("`add` is {other}, expected a name")),
        };
        let seeds = match take("seeds") {
            None => Vec::new(),
            Some(seeds) => seeds
                .try_into()
                .map_err(|_| "`seeds` of a case is not a list of whole numbers".to_owned())?,
        };
        let objectives: Option<Vec<ObjectiveName>> = take("objectives")
            .map(toml::Value::try_into)
            .transpose()
            .map_err(|error: toml::de::Error| error.message().to_owned())?;
        let (series, base) = (words("series", take("series"))?, words("base", take("base"))?);
        let (method, cut) = (words("method", take("method"))?, words("cut", take("cut"))?);
        let training = Overrides::of(table)?;
        let is_silent = training.is_empty() && objectives.is_none();
        if skip && (add.is_some() || !seeds.is_empty() || !is_silent) {
            return Err(
                "a case with `skip` has other keys than `series`, `base`, `method` and `cut`"
                    .into(),
            );
        }
        if !skip && add.is_none() && seeds.is_empty() && is_silent {
            return Err(
                "a case changes nothing: give it keys of a recipe, `objectives`, `seeds`, `add` or `skip`"
                    .into(),
            );
        }
        Ok(Self { series, base, method, cut, skip, add, seeds, objectives, training })
    }
}

/// A word, or a list of words.
fn words(key: &str, value: Option<toml::Value>) -> Result<Option<Vec<String>>, String> {
    let wrong = || format!("`{key}` of a case, expected a name or a list of names");
    match value {
        None => Ok(None),
        Some(toml::Value::String(word)) => Ok(Some(vec![word])),
        Some(list) => list.try_into().map(Some).map_err(|_| wrong()),
    }
}

impl CaseKeys {
    /// Whether it is about this run.
    pub(crate) fn is_about(&self, place: &CasePlace<'_>) -> bool {
        let among = |names: &Option<Vec<String>>, found: &[&str]| {
            names
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| found.contains(&name.as_str())))
        };
        among(&self.series, &[place.series])
            && among(&self.base, &place.base)
            && among(&self.method, &[place.method])
            && among(&self.cut, &[place.cut])
    }
}
