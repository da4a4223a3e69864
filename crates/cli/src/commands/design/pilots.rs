//! The runs that can be made: models, rates, lengths, and what each costs.

use anyhow::Context;
use law::Place;
use law::design::Pilot;
use law::plan::{Bill, Machine};
use ledger::{MethodId, MethodKind};
use prune::{Method, Takes};
use shape::count::Count as Parameters;

use crate::flags::place::config_of;
use regrow::count::Count;

/// A model that can be pruned.
pub(super) struct Model {
    name: String,
    /// Where a sweep finds it.
    source: Option<String>,
    n0: f64,
    embedding: f64,
    /// Tokens that it can look back on; `None` of a model that is only a number.
    context: Option<usize>,
    rates: Vec<ModelRate>,
}

/// A rate: as it was asked for, and as the method realises it in this model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ModelRate {
    pub(super) asked: f64,
    pub(super) realised: f64,
}

impl Model {
    /// A model by its public name, its folder or its parameters, with rates that it can have.
    ///
    /// # Errors
    /// If there is no such model or method, or the method cannot remove such a share of it.
    pub(super) fn find(text: &str, method: &str, rates: &[f64]) -> anyhow::Result<Self> {
        let as_asked = |rate: &f64| ModelRate { asked: *rate, realised: *rate };
        if let Ok(Count(n0)) = text.parse::<Count>() {
            let rates = rates.iter().map(as_asked).collect();
            let name = text.to_owned();
            let n0 = n0 as f64;
            return Ok(Self { name, source: None, n0, embedding: 0.0, context: None, rates });
        }
        let (config, _) = config_of(text)?;
        let count = Parameters::of(&config);
        let method = prune::method(method)?;
        let drops_blocks =
            matches!(method, Method::Select(_)) && !method.takes().contains(&Takes::Sizes);
        let rate = |rate: &f64| -> anyhow::Result<ModelRate> {
            if !drops_blocks {
                return Ok(as_asked(rate));
            }
            let legal = shape::legal::nearest(&config, *rate, prune::TOLERANCE)
                .with_context(|| format!("`{text}` cannot lose {rate} of its parameters"))?;
            Ok(ModelRate { asked: *rate, realised: legal.held().rate().get() })
        };
        let is_folder = std::path::Path::new(text).exists();
        let source = match is_folder {
            true => text.to_owned(),
            false => regrow::public_model(text)?.repository().to_owned(),
        };
        let mut rates = rates.iter().map(rate).collect::<anyhow::Result<Vec<_>>>()?;
        // Rates that round to the same blocks are one.
        rates.sort_by(|a, b| a.realised.total_cmp(&b.realised));
        rates.dedup_by_key(|rate| rate.realised);
        Ok(Self {
            name: text.to_owned(),
            source: Some(source),
            n0: count.total() as f64,
            embedding: count.looked_up() as f64,
            context: Some(config.max_position_embeddings()),
            rates,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where a sweep finds it; `None` of a model that is only a number.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Parameters before pruning.
    pub(super) fn n0(&self) -> f64 {
        self.n0
    }

    /// Tokens that it can look back on.
    pub(super) fn context(&self) -> Option<usize> {
        self.context
    }

    pub(super) fn rates(&self) -> &[ModelRate] {
        &self.rates
    }

    /// The floating-point operations of one token of training at a rate.
    pub(super) fn flops_per_token(
        &self,
        rate: f64,
        method: &str,
        objective: &str,
        machine: Option<Machine>,
    ) -> anyhow::Result<f64> {
        let kind = MethodId::from(method).kind().unwrap_or(MethodKind::Removes);
        let place = Place::new(self.n0, rate, 0.0)?;
        Ok(Bill::new(self.embedding, machine).flops_per_token(&place, kind, objective)?)
    }
}

/// Every run that can be made. Costs are in floating-point operations.
pub(super) fn pilots(
    models: &[Model],
    lengths: &[f64],
    seeds: u64,
    price: &impl Fn(&Model, f64) -> anyhow::Result<f64>,
) -> anyhow::Result<Vec<Pilot>> {
    let mut found = Vec::new();
    for model in models {
        for rate in &model.rates {
            let price = price(model, rate.realised)?;
            for tokens in lengths {
                for seed in 1..=seeds {
                    let cost = price * tokens;
                    let pilot = Pilot::new(&model.name, model.n0, rate.realised, *tokens, cost)?;
                    found.push(pilot.with_seed(seed));
                }
            }
        }
    }
    Ok(found)
}
