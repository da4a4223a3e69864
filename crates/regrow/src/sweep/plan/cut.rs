//! The cuts of a sweep: what each method removes from each base.

use shape::config::ModelConfig;

use super::base::PlannedBase;
use crate::error::{Context, Error, Result, bail};
use crate::sweep::recipe::MethodKeys;

/// A planned cut.
pub(super) struct PlannedCut {
    /// Its short name, for example `2of6` or `0.17`; empty where the method's pattern says it all.
    pub(super) name: String,
    pub(super) removal: Removal,
    /// Parameters after the cut.
    pub(super) parameters: u64,
    /// The shape after the cut.
    pub(super) config: ModelConfig,
}

/// What `prune` is told to remove.
pub(super) enum Removal {
    /// A share of all parameters.
    Rate(f64),
    /// These blocks, counted from 0.
    Blocks(Vec<usize>),
    /// As the pattern of the method says.
    Pattern,
}

/// The cuts of one base by one method. Depth cuts are sorted by the number of removed blocks,
/// others keep the order of the recipe.
///
/// # Errors
/// Where a rate or list is not a valid cut of the base, or two of them give the same cut.
pub(super) fn cuts(base: &PlannedBase<'_>, keys: &MethodKeys) -> Result<Vec<PlannedCut>> {
    let method = prune::method(&keys.name)?;
    match method {
        prune::Method::Sparse(sparse) => match sparse.pattern() {
            ledger::Pattern::Groups { .. } => Ok(vec![PlannedCut {
                name: String::new(),
                removal: Removal::Pattern,
                // Zeros stay parameters.
                parameters: base.parameters,
                config: base.config.clone(),
            }]),
            ledger::Pattern::Unstructured => Ok(rates(base, keys)?
                .into_iter()
                .map(|(name, rate)| PlannedCut {
                    name,
                    removal: Removal::Rate(rate),
                    parameters: base.parameters,
                    config: base.config.clone(),
                })
                .collect()),
        },
        prune::Method::Select(_) if method.takes().contains(&prune::Takes::Sizes) => {
            width_cuts(base, keys)
        }
        prune::Method::Select(_) => depth_cuts(base, keys),
    }
}

/// The rates of a method that removes no blocks, each with its short name.
fn rates(base: &PlannedBase<'_>, method: &MethodKeys) -> Result<Vec<(String, f64)>> {
    let mut rates: Vec<(String, f64)> =
        method.rates.iter().map(|rate| (rate.to_string(), *rate)).collect();
    let legal = shape::legal::legal_rates(&base.config);
    for &blocks in &method.as_blocks {
        let layers = base.config.num_hidden_layers();
        let Some(legal) = blocks.checked_sub(1).and_then(|at| legal.get(at)) else {
            bail!("`as_blocks` holds {blocks}, expected 1 to {} for `{}`", layers - 1, base.id);
        };
        rates.push((format!("as{blocks}of{layers}"), legal.held().rate().get()));
    }
    Ok(rates)
}

fn depth_cuts(base: &PlannedBase<'_>, method: &MethodKeys) -> Result<Vec<PlannedCut>> {
    let layers = base.config.num_hidden_layers();
    // Each with its number of removed blocks.
    let mut cuts: Vec<(usize, PlannedCut)> = Vec::new();
    let mut add = |name, removal, legal: &shape::legal::LegalRate| {
        let parameters = legal.held().parameters().0;
        let config = base.config.with_blocks(layers - legal.dropped());
        cuts.push((legal.dropped(), PlannedCut { name, removal, parameters, config }));
    };
    for &blocks in &method.blocks {
        let legal = shape::legal::legal_rates(&base.config);
        let Some(legal) = blocks.checked_sub(1).and_then(|at| legal.get(at)) else {
            bail!("`blocks` holds {blocks}, expected 1 to {} for `{}`", layers - 1, base.id);
        };
        let name = format!("{blocks}of{layers}");
        // The exact rate of this number of blocks, so that `prune` removes just as many.
        let removal = Removal::Rate(legal.held().rate().get());
        add(name, removal, legal);
    }
    for &rate in &method.rates {
        let legal = shape::legal::nearest(&base.config, rate, prune::TOLERANCE)
            .with_context(|| format!("`{rate}` of `{}` is no cut of `{}`", method.name, base.id))?;
        let (name, removal) = (rate.to_string(), Removal::Rate(rate));
        add(name, removal, &legal);
    }
    for list in &method.drop {
        let mut drop = list.clone();
        drop.sort_unstable();
        let cut = ledger::Cut::Depth { layers, drop: drop.clone() };
        cut.validate()
            .map_err(Error::passed)
            .with_context(|| format!("`drop` holds {list:?}, which is no cut of `{}`", base.id))?;
        let blocks = drop.len();
        let legal = &shape::legal::legal_rates(&base.config)[blocks - 1];
        let name = format!("{blocks}of{layers}");
        let removal = Removal::Blocks(drop);
        add(name, removal, legal);
    }
    // Sorted, so that equal cuts are neighbours.
    cuts.sort_by_key(|(blocks, _)| *blocks);
    if let Some(pair) = cuts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let [first, second] = [0, 1].map(|at| &pair[at].1.name);
        bail!(
            "`{first}` and `{second}` both drop {} of {layers} blocks of `{}`",
            pair[0].0,
            base.id
        );
    }
    Ok(cuts.into_iter().map(|(_, cut)| cut).collect())
}

fn width_cuts(base: &PlannedBase<'_>, method: &MethodKeys) -> Result<Vec<PlannedCut>> {
    let mut cuts: Vec<PlannedCut> = Vec::new();
    for (name, rate) in rates(base, method)? {
        // The best shape for the rate, as `prune` will choose it: two rates may round to one shape.
        let best = shape::legal::choices(
            &base.config,
            rate,
            prune::TOLERANCE,
            &prune::WidthOptions::default(),
            1,
        )
        .with_context(|| format!("`{name}` of `{}` is no cut of `{}`", method.name, base.id))?;
        let parameters = best[0].held.parameters().0;
        if let Some(other) = cuts.iter().find(|other| other.parameters == parameters) {
            bail!("`{}` and `{name}` make the same shape of `{}`", other.name, base.id);
        }
        let config = best[0].shape.apply(&base.config);
        cuts.push(PlannedCut { name, removal: Removal::Rate(rate), parameters, config });
    }
    Ok(cuts)
}
