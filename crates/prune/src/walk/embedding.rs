//! The embedding of calibration text, read from the file row by row.

use model::folder::ModelFolder;
use model::safetensors::TensorView;
use shape::tensors::{TensorSpec, leading_tensors};

use crate::calibration::unknown_token;
use crate::error::Result;

/// The embedding table in its file. Only the rows of tokens in the text are read.
pub(super) struct Embedding<'a> {
    folder: &'a ModelFolder,
    spec: TensorSpec,
}

impl<'a> Embedding<'a> {
    pub(super) fn of(folder: &'a ModelFolder) -> Self {
        // The embedding is the only tensor in front of the blocks.
        let spec = leading_tensors(folder.config()).remove(0);
        Self { folder, spec }
    }

    /// The embedding of every token, `[token, hidden]`. `first` is the position of the first.
    pub(super) fn embed(&mut self, tokens: &[u32], first: usize, states: &mut [f32]) -> Result<()> {
        let (hidden, vocabulary) = (self.spec.columns(), self.spec.rows());
        let table = self.folder.tensor(&self.spec)?;
        let row_bytes = hidden * table.dtype.size();
        for (position, (&token, state)) in
            tokens.iter().zip(states.chunks_exact_mut(hidden)).enumerate()
        {
            let row = token as usize;
            if row >= vocabulary {
                return Err(unknown_token(token, (first + position) as u64, vocabulary));
            }
            let bytes = &table.bytes[row * row_bytes..][..row_bytes];
            let view = TensorView { dtype: table.dtype, shape: &[hidden], bytes };
            view.to_f32(state).map_err(|column| {
                let (path, tensor) = (self.folder.path(), &self.spec.name);
                model::Error::not_finite(path, tensor, row * hidden + column, state[column])
            })?;
        }
        Ok(())
    }

    pub(super) fn release(&self) {
        self.folder.release(&self.spec);
    }
}
