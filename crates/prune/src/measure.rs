//! Measures what a method decides by.

use std::path::Path;

use model::folder::ModelFolder;

use crate::calibration::Sequences;
use crate::error::Result;
use crate::methods::{Needs, Scores, Target};
use crate::options::Options;
use crate::score::activation::activation;
use crate::score::angular::angular_distance;
use crate::score::block_influence::block_influence;
use crate::score::width_magnitude::width_magnitude;
use crate::shapes;

/// Measures what is needed; `progress` hears of layers done, and of how many.
///
/// # Errors
/// Those of the scores, and of a rate that no whole number of layers comes near.
///
/// # Panics
/// Where text is needed and there is none.
pub(crate) fn measure(
    folder: &ModelFolder,
    needs: Needs,
    target: &Target,
    sequences: Option<&Sequences>,
    options: &Options,
    spill: Option<&Path>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Scores> {
    let text = || sequences.expect("text is drawn for a method that needs it");
    Ok(match needs {
        Needs::Nothing => Scores::None,
        Needs::BlockInfluence => Scores::Layers(block_influence(folder, text(), spill, progress)?),
        Needs::AngularDistance => {
            let count = match *target {
                Target::Rate { rate, tolerance } => {
                    shapes::nearest(folder.config(), rate, tolerance)?.dropped
                }
                _ => 1,
            };
            let positions = options.positions;
            Scores::Runs(angular_distance(folder, text(), count, positions, spill, progress)?)
        }
        Needs::Activations => Scores::Width(activation(folder, text(), options, spill, progress)?),
        Needs::Weights => Scores::Width(width_magnitude(folder, options, progress)?),
    })
}
