//! The bases of a sweep: every size of every series, once per seed.

use shape::config::ModelConfig;
use shape::count::Count;

use crate::error::Result;
use crate::sweep::recipe::{Controls, SeriesKeys, SizeKeys, SweepKeys};

/// A model that will be trained from scratch and then pruned.
pub(super) struct PlannedBase<'a> {
    pub(super) id: String,
    pub(super) series: &'a SeriesKeys,
    pub(super) size: &'a SizeKeys,
    pub(super) config: ModelConfig,
    pub(super) parameters: u64,
    pub(super) seed: u64,
    /// Whether it is also trained further without pruning, as a control.
    pub(super) control: bool,
}

/// The bases, in the order of the recipe.
pub(super) fn bases(sweep: &SweepKeys) -> Result<Vec<PlannedBase<'_>>> {
    let mut bases = Vec::new();
    for series in &sweep.series {
        for size in &series.sizes {
            let config = sweep.config(series, size)?;
            let parameters = Count::of(&config).total();
            let seeds = sweep.seeds(size);
            for &seed in seeds {
                let name = format!("{}-{}", series.name, size.name());
                bases.push(PlannedBase {
                    // Names stay short where a size has one seed.
                    id: if seeds.len() == 1 { name } else { format!("{name}-seed{seed}") },
                    series,
                    size,
                    config: config.clone(),
                    parameters,
                    seed,
                    control: match sweep.controls {
                        Controls::Every => true,
                        Controls::OneASize => seed == seeds[0],
                        Controls::None => false,
                    },
                });
            }
        }
    }
    Ok(bases)
}
