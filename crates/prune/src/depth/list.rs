//! Blocks that a user names.

use ledger::Cut;
use shape::config::ModelConfig;

use super::blocks::{cut, without};
use crate::cost::{Cost, TextSize};
use crate::error::Result;
use crate::measuring::Measuring;
use crate::options::Options;
use crate::scores::Scores;
use crate::select::Select;
use crate::target::{Takes, Target};
use shape::legal::{Illegal, Smaller};

/// `depth-list`: drops the blocks that it is told to.
#[derive(Clone, Copy, Debug)]
pub struct DepthList;

impl DepthList {
    fn cut(self, config: &ModelConfig, target: &Target) -> Result<Cut> {
        let Target::Blocks(blocks) = target else {
            return Err(target.refused_by(self.name(), self.takes()));
        };
        if blocks.is_empty() {
            return Err(Illegal::nothing_goes().into());
        }
        let mut drop = blocks.clone();
        drop.sort_unstable();
        cut(config, drop)
    }
}

impl Select for DepthList {
    fn name(&self) -> &'static str {
        "depth-list"
    }

    fn summary(&self) -> &'static str {
        "drop the layers that are listed"
    }

    fn paper(&self) -> Option<&'static str> {
        None
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Blocks]
    }

    fn reads_text(&self) -> bool {
        false
    }

    fn outcomes(&self, config: &ModelConfig, target: &Target, _: &Options) -> Result<Vec<Smaller>> {
        let cut = self.cut(config, target)?;
        Ok(vec![without(config, cut.dropped().len())?])
    }

    fn cost(&self, _: &ModelConfig, _: &Smaller, _: &Options, _: TextSize) -> Result<Cost> {
        Ok(Cost::nothing())
    }

    fn measure(&self, _: &mut Measuring<'_>, _: &Smaller) -> Result<Scores> {
        Ok(Scores::None)
    }

    fn choose(
        &self,
        config: &ModelConfig,
        _: &Scores,
        target: &Target,
        _: &Smaller,
    ) -> Result<Cut> {
        self.cut(config, target)
    }
}
