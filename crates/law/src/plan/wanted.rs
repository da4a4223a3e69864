//! What is asked about a model, and the candidates that the law fills it up to.

use ledger::{MethodId, Objective};

use super::offer::Candidate;
use crate::error::{Fault, Result};
use crate::law::{GroupLaw, Law};
use crate::place::Place;

/// The size of a model before pruning.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSize {
    /// The name of the model, if it has one.
    pub name: Option<String>,
    /// Parameters.
    pub n0: f64,
    /// Parameters of an untied input embedding; 0 where it is tied or unknown.
    pub embedding: f64,
    /// Its series in the catalogue.
    pub series: Option<&'static str>,
}

/// A model and what was asked about it. The law fills in what is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The model.
    pub size: ModelSize,
    /// Its loss before pruning, nats per token.
    pub loss0: f64,
    /// The series, where the law holds several.
    pub series: Option<String>,
    /// The pruning method; `None` for all that the law holds for the series.
    pub method: Option<String>,
    /// What the runs were trained for; `None` for all that the law holds for the method.
    pub objective: Option<String>,
    /// Pruning rates; without any, those that the law's runs have at the nearest size.
    pub rates: Vec<f64>,
}

/// Families of public models, by the beginning of a series' name.
const FAMILIES: [&str; 2] = ["llama", "qwen"];

impl ModelSize {
    /// A model of which only the parameters are known.
    pub fn of_count(n0: f64) -> Self {
        Self { name: None, n0, embedding: 0.0, series: None }
    }
}

impl Law {
    /// The requested series, or else that of a public model, if the law has that series.
    ///
    /// # Errors
    /// If the law is of another family than the public model, and no series is requested.
    pub fn series_for<'a>(
        &self,
        asked: Option<&'a str>,
        size: &ModelSize,
    ) -> Result<Option<&'a str>> {
        let Some(own) = size.series.filter(|_| asked.is_none()) else { return Ok(asked) };
        if self.groups().iter().any(|group| group.series() == own) {
            return Ok(Some(own));
        }
        // The law may use another name for the series, such as `llama` for `llama-3`.
        let other = self.groups().iter().all(|group| {
            let known = FAMILIES.iter().find(|family| is_of(group.series(), family));
            known.is_some_and(|family| !is_of(own, family))
        });
        match self.groups().first() {
            Some(group) if other => Err(Fault::OtherFamily {
                known: group.series().to_owned(),
                model: size.name.clone().unwrap_or_default(),
                family: own,
            }
            .into()),
            _ => Ok(None),
        }
    }
}

impl Wanted {
    /// One candidate for each method, objective and rate.
    ///
    /// # Errors
    /// If the law holds no such group, or groups of several series.
    pub fn candidates(&self, law: &Law) -> Result<Vec<Candidate>> {
        let candidate = |series: &str, method: &str, objective: &str, rate: f64| Candidate {
            model: self.size.name.clone(),
            series: series.to_owned(),
            method: method.to_owned(),
            objective: Some(objective.to_owned()),
            place: Place { n0: self.size.n0, rate, loss0: self.loss0 },
            embedding: self.size.embedding,
        };
        let of = law.series_for(self.series.as_deref(), &self.size)?;
        // The unpruned model needs no group of the law: its loss is given.
        if self.rates == [0.0] && self.method.as_deref() == Some(MethodId::NONE) {
            let series = of
                .unwrap_or_else(|| law.groups().first().map_or("unnamed", |group| group.series()));
            return Ok(vec![candidate(series, MethodId::NONE, Objective::LM, 0.0)]);
        }
        let (method, objective) = (self.method.as_deref(), self.objective.as_deref());
        let groups = law.groups_for(of, method, objective)?;
        if groups.iter().any(|group| group.series() != groups[0].series()) {
            // A model belongs to one series. There are several groups, so this is the error that
            // lists them.
            law.group_for(of, method, objective)?;
        }
        let mut found = Vec::new();
        for group in groups {
            let rates = match self.rates.is_empty() {
                true => group.rates_near(self.size.n0),
                false => self.rates.clone(),
            };
            let named = |rate| candidate(group.series(), group.method(), group.objective(), rate);
            found.extend(rates.into_iter().map(named));
        }
        Ok(found)
    }
}

impl GroupLaw {
    /// The pruning rates of the law's runs at the size nearest to this one.
    pub fn rates_near(&self, n0: f64) -> Vec<f64> {
        // Sizes span orders of magnitude, so distance is measured in the logarithm.
        let far = |place: &Place| (place.n0 / n0).ln().abs();
        let places: Vec<Place> = self.decisions().iter().map(|plan| plan.place()).collect();
        let nearest = places.iter().map(far).fold(f64::INFINITY, f64::min);
        let mut rates: Vec<f64> = places
            .iter()
            // Bases of one size that differ by up to 1 % count as equally near.
            .filter(|place| far(place) <= nearest + 0.01)
            .map(|place| place.rate)
            .collect();
        rates.sort_by(f64::total_cmp);
        // Several bases of one size have the same rates.
        rates.dedup();
        rates
    }
}

fn is_of(series: &str, family: &str) -> bool {
    series.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
}
