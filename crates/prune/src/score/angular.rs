//! Angular distance: how far a run of layers turns the residual stream (Gromov et al. 2024,
//! equation 7).

use std::f64::consts::PI;
use std::path::Path;

use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use rayon::prelude::*;

use super::block_influence::cosine;
use crate::calibration::Sequences;
use crate::error::Result;
use crate::options::Positions;
use crate::states::States;
use crate::walk::{Seen, Visit, walk};

/// `mean of arccos(cos(x_l, x_(l+count))) / pi` for every run of `count` layers, 0 (the run does
/// nothing) to 1, one for each layer `l` at which a run can begin.
///
/// `x_l` is the residual stream that enters layer `l`, and for `l` the number of layers what leaves
/// the last, before the final norm. The paper takes the last token of every sequence,
/// [`Positions::Last`]; [`Positions::All`] takes every token and remembers the stream of `count`
/// layers, so it holds the calibration activations so many times.
///
/// # Errors
/// Those of [`walk`].
pub fn angular_distance(
    folder: &ModelFolder,
    sequences: &Sequences,
    count: usize,
    positions: Positions,
    spill: Option<&Path>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f64>> {
    let (layers, hidden) = (folder.config().num_hidden_layers(), folder.config().hidden_size());
    let (length, tokens) = (sequences.length(), sequences.tokens().len());
    let looked_at = match positions {
        Positions::Last => tokens / length,
        Positions::All => tokens,
    };
    let mut remembered = Vec::new();
    for _ in 0..count {
        remembered.push(States::new(looked_at, hidden, spill)?);
    }
    let sums = vec![0.0; layers - count + 1];
    let mut visitor = Turn { count, layers, length, positions, remembered, at: 0, sums };
    walk(Cpu::<f32>::new(), folder, sequences, spill, &mut visitor, progress)?;
    Ok(visitor.sums.iter().map(|sum| sum / looked_at as f64).collect())
}

struct Turn {
    count: usize,
    layers: usize,
    length: usize,
    positions: Positions,
    /// What entered the last `count` layers, the one of layer `l` at `l % count`.
    remembered: Vec<States>,
    /// Numbers of this layer that earlier batches held.
    at: usize,
    sums: Vec<f64>,
}

impl Turn {
    /// Compares what entered `count` layers before boundary `boundary` with what stands there now.
    fn compare(&mut self, boundary: usize, now: &[f32], hidden: usize) -> Result<()> {
        let Some(first) = boundary.checked_sub(self.count) else { return Ok(()) };
        let mut then = vec![0.0; now.len()];
        self.remembered[first % self.count].read(self.at, &mut then)?;
        let rows = then.par_chunks_exact(hidden).zip(now.par_chunks_exact(hidden));
        // Rounding may leave the range of a cosine by one unit.
        let angles: Vec<f64> =
            rows.map(|(then, now)| cosine(then, now).clamp(-1.0, 1.0).acos() / PI).collect();
        // One after the other: the sum must not follow the number of threads.
        self.sums[first] = angles.iter().fold(self.sums[first], |sum, angle| sum + angle);
        Ok(())
    }

    fn looked_at(&self, stream: &[f32], hidden: usize) -> Vec<f32> {
        match self.positions {
            Positions::All => stream.to_vec(),
            Positions::Last => {
                let last = stream.chunks_exact(self.length * hidden);
                last.flat_map(|sequence| &sequence[(self.length - 1) * hidden..]).copied().collect()
            }
        }
    }
}

impl Visit for Turn {
    fn begin(&mut self, _layer: usize) {
        self.at = 0;
    }

    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        let before = self.looked_at(seen.before, seen.hidden);
        self.compare(seen.layer, &before, seen.hidden)?;
        self.remembered[seen.layer % self.count].write(self.at, &before)?;
        if seen.layer + 1 == self.layers {
            let after = self.looked_at(seen.after, seen.hidden);
            self.compare(self.layers, &after, seen.hidden)?;
        }
        self.at += before.len();
        Ok(())
    }
}
