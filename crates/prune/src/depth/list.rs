//! Drops blocks that the user names.

use ledger::Cut;
use shape::config::ModelConfig;

use super::blocks::{cut, without};
use crate::cost::{MeasuringCost, TextSize};
use crate::error::Result;
use crate::measuring::Measuring;
use crate::options::MethodOptions;
use crate::scores::Scores;
use crate::select::{About, Select};
use crate::target::{PruningTarget, Takes};
use shape::legal::{Illegal, Smaller};

/// `depth-list`: drops the blocks that are listed.
#[derive(Clone, Copy, Debug)]
pub struct DepthList;

impl DepthList {
    fn cut(self, config: &ModelConfig, target: &PruningTarget) -> Result<Cut> {
        let PruningTarget::Blocks(blocks) = target else {
            return Err(target.refused_by(self.name(), self.about().takes));
        };
        if blocks.is_empty() {
            return Err(Illegal::nothing_goes().into());
        }
        let mut drop = blocks.clone();
        // A user may list blocks in any order; a cut has them ascending.
        drop.sort_unstable();
        cut(config, drop)
    }
}

impl Select for DepthList {
    fn about(&self) -> &'static About {
        &About {
            name: "depth-list",
            summary: "drop the layers that are listed",
            paper: None,
            takes: &[Takes::Blocks],
            reads_text: false,
        }
    }

    fn outcomes(
        &self,
        config: &ModelConfig,
        target: &PruningTarget,
        _: &MethodOptions,
    ) -> Result<Vec<Smaller>> {
        let cut = self.cut(config, target)?;
        Ok(vec![without(config, cut.dropped().len())?])
    }

    fn cost(
        &self,
        _: &ModelConfig,
        _: &Smaller,
        _: &MethodOptions,
        _: TextSize,
    ) -> Result<MeasuringCost> {
        Ok(MeasuringCost::nothing())
    }

    fn measure(&self, _: &mut Measuring<'_>, _: &Smaller) -> Result<Scores> {
        Ok(Scores::None)
    }

    fn choose(
        &self,
        config: &ModelConfig,
        _: &Scores,
        target: &PruningTarget,
        _: &Smaller,
    ) -> Result<Cut> {
        self.cut(config, target)
    }
}
