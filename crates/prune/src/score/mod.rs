//! How much a part matters.

pub mod block_influence;

use model::folder::ModelFolder;

use crate::calibration::Sequences;
use crate::error::Result;

/// Gives every layer of a model a number on calibration text; the second argument of the progress is how many layers
/// there are, the first how many are done.
pub type LayerScore = fn(&ModelFolder, &Sequences, &mut dyn FnMut(usize, usize)) -> Result<Vec<f64>>;
