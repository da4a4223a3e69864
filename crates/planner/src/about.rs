//! What a page must know of a law to ask it.

use law::plan::DEVICES;
use law::{GroupLaw, Law, Wish};
use serde::Serialize;
use shape::catalog;

use crate::question::UTILISATION;

/// Groups, models, devices and a first question.
#[derive(Debug, Serialize)]
pub(crate) struct About<'a> {
    format: u32,
    groups: Vec<Group<'a>>,
    models: Vec<Model>,
    devices: Vec<Device>,
    gain: f64,
    utilisation: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<First<'a>>,
}

#[derive(Debug, Serialize)]
struct Group<'a> {
    series: &'a str,
    method: &'a str,
    objective: &'a str,
    label: String,
    runs: usize,
    points: usize,
    level: f64,
    /// Whether it is known what the method does to weights.
    kind_known: bool,
    rates: Vec<f64>,
    ranges: Vec<(&'static str, [f64; 2])>,
}

#[derive(Debug, Serialize)]
struct Model {
    name: &'static str,
    series: &'static str,
    parameters: u64,
}

#[derive(Debug, Serialize)]
struct Device {
    name: &'static str,
    teraflops: f64,
}

/// The first question: a place that the law knows well, as the fields of the form write it.
#[derive(Debug, Serialize)]
struct First<'a> {
    n0: String,
    loss0: String,
    rate: String,
    series: &'a str,
    method: &'a str,
    objective: &'a str,
}

impl<'a> About<'a> {
    pub(crate) fn of(law: &'a Law) -> Self {
        let model = |public: &catalog::PublicModel| Model {
            name: public.name(),
            series: public.series(),
            parameters: public.parameters(),
        };
        Self {
            format: 1,
            groups: law.groups().iter().map(Group::of).collect(),
            models: catalog::entries().map(model).collect(),
            devices: DEVICES.iter().map(|&(name, teraflops)| Device { name, teraflops }).collect(),
            gain: Wish::default().doubling_gain,
            utilisation: UTILISATION,
            first: First::of(law),
        }
    }
}

impl<'a> Group<'a> {
    fn of(group: &'a GroupLaw) -> Self {
        let mut rates: Vec<f64> = group.decisions().iter().map(|plan| plan.place().rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let range = |axis| Some((axis, *group.ranges().get(axis)?));
        Self {
            series: group.series(),
            method: group.method(),
            objective: group.objective(),
            label: group.label(),
            runs: group.runs(),
            points: group.points(),
            level: group.level(),
            kind_known: group.kind().is_some(),
            rates,
            ranges: ["n0", "rate", "tokens"].into_iter().filter_map(range).collect(),
        }
    }
}

impl<'a> First<'a> {
    /// From the law with the most runs, as the report does.
    fn of(law: &'a Law) -> Option<Self> {
        let most = law.groups().iter().rev().max_by_key(|group| (group.runs(), group.points()))?;
        let several =
            |of: fn(&GroupLaw) -> &str| law.groups().iter().any(|one| of(one) != of(most));
        let place = report::page::first_asked(most).map(|plan| plan.place());
        let text = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
        Some(Self {
            n0: text(place.map(|place| place.n0.round())),
            loss0: text(place.map(|place| place.loss0)),
            rate: text(place.map(|place| place.rate)),
            // What a law holds once need not be said.
            series: if several(GroupLaw::series) { most.series() } else { "" },
            method: if several(GroupLaw::method) { most.method() } else { "" },
            objective: if several(GroupLaw::objective) { most.objective() } else { "" },
        })
    }
}
