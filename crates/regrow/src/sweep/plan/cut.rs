//! The cuts of a sweep: what each method removes from each base.

use super::base::PlannedBase;
use crate::error::{Context, Error, Result, bail};
use crate::sweep::recipe::MethodKeys;

/// A planned cut.
pub(super) struct PlannedCut {
    /// Its short name, for example `2of6` or `0.17`.
    pub(super) name: String,
    pub(super) removal: Removal,
    /// Parameters after the cut.
    pub(super) parameters: u64,
}

/// What `prune` is told to remove.
pub(super) enum Removal {
    /// A share of all parameters.
    Rate(f64),
    /// These blocks, counted from 0.
    Blocks(Vec<usize>),
}

/// The cuts of one base by one method. Depth cuts are sorted by the number of removed blocks, width
/// cuts keep the order of the recipe.
///
/// # Errors
/// Where a rate or list is not a valid cut of the base, or two of them give the same cut.
pub(super) fn cuts(base: &PlannedBase<'_>, method: &MethodKeys) -> Result<Vec<PlannedCut>> {
    if prune::method(&method.name)?.takes().contains(&prune::Takes::Sizes) {
        width_cuts(base, method)
    } else {
        depth_cuts(base, method)
    }
}

fn depth_cuts(base: &PlannedBase<'_>, method: &MethodKeys) -> Result<Vec<PlannedCut>> {
    let layers = base.config.num_hidden_layers();
    // Each with its number of removed blocks.
    let mut cuts: Vec<(usize, PlannedCut)> = Vec::new();
    for &blocks in &method.blocks {
        let legal = shape::legal::legal_rates(&base.config);
        let Some(legal) = blocks.checked_sub(1).and_then(|at| legal.get(at)) else {
            bail!("`blocks` holds {blocks}, expected 1 to {} for `{}`", layers - 1, base.id);
        };
        let name = format!("{blocks}of{layers}");
        // The exact rate of this number of blocks, so that `prune` removes just as many.
        let removal = Removal::Rate(legal.held().rate().get());
        cuts.push((blocks, PlannedCut { name, removal, parameters: legal.held().parameters().0 }));
    }
    for &rate in &method.rates {
        let legal = shape::legal::nearest(&base.config, rate, prune::TOLERANCE)?;
        let (name, removal) = (rate.to_string(), Removal::Rate(rate));
        cuts.push((
            legal.dropped(),
            PlannedCut { name, removal, parameters: legal.held().parameters().0 },
        ));
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
        cuts.push((blocks, PlannedCut { name, removal, parameters: legal.held().parameters().0 }));
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
    if !method.blocks.is_empty() {
        bail!("`{}` takes no `blocks`, it keeps them all: give `rates`", method.name);
    }
    let mut cuts: Vec<PlannedCut> = Vec::new();
    for &rate in &method.rates {
        // The best shape for the rate, as `prune` will choose it: two rates may round to one shape.
        let best = shape::legal::choices(
            &base.config,
            rate,
            prune::TOLERANCE,
            &prune::WidthOptions::default(),
            1,
        )?;
        let parameters = best[0].held.parameters().0;
        if let Some(other) = cuts.iter().find(|other| other.parameters == parameters) {
            bail!("`{}` and `{rate}` make the same shape of `{}`", other.name, base.id);
        }
        cuts.push(PlannedCut { name: rate.to_string(), removal: Removal::Rate(rate), parameters });
    }
    Ok(cuts)
}
