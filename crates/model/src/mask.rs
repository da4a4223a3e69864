//! Masks of sparse weights, which training must keep at zero.

use std::ops::Range;

use ledger::Sha256;

use crate::Result;
use crate::backend::Backend;
use crate::error::{Error, ModelFault};
use crate::folder::ModelFolder;
use crate::layout::Layout;
use crate::sparsity::Sparsity;

/// The tensors of a model whose zeros stay zero. Every zero weight of such a tensor is masked. No
/// list of them is kept: without a gradient, and so without moments, a weight never changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masks {
    /// The ranges of the tensors in [`Layout`]'s buffer; adjacent tensors are one range.
    ranges: Vec<Range<usize>>,
    sparsity: Sparsity,
}

impl Masks {
    /// The masks of a model folder, by its `sparsity.json`; empty if it has no such file.
    ///
    /// # Errors
    /// If the file cannot be read, or lists something that is not a matrix of this model.
    pub fn of(folder: &ModelFolder) -> Result<Self> {
        let sparsity = Sparsity::of(folder.path())?;
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut found = 0;
        for (tensor, offset) in Layout::new(folder.config()).tensors {
            if tensor.shape.len() != 2 || !sparsity.tensors.contains_key(&tensor.name) {
                continue;
            }
            found += 1;
            let end = offset + tensor.len();
            match ranges.last_mut() {
                Some(last) if last.end == offset => last.end = end,
                _ => ranges.push(offset..end),
            }
        }
        // A listed name without a tensor would silently leave its zeros free.
        if found < sparsity.tensors.len() {
            let layout = Layout::new(folder.config());
            let matrix = |name: &str| {
                layout
                    .tensors
                    .iter()
                    .any(|(tensor, _)| tensor.name == *name && tensor.shape.len() == 2)
            };
            let odd =
                sparsity.tensors.keys().find(|name| !matrix(name)).cloned().unwrap_or_default();
            return Err(Error::from(ModelFault::Json {
                path: folder.path().join(crate::sparsity::FILE),
                what: "a list of sparse tensors",
                reason: format!("`{}` is no matrix of this model", crate::safetensors::shown(&odd)),
            }));
        }
        Ok(Self { ranges, sparsity })
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The tensors, with their patterns.
    pub fn sparsity(&self) -> &Sparsity {
        &self.sparsity
    }

    /// SHA-256 of the list of tensors, which is part of what a run starts from; `None` if nothing
    /// is masked.
    pub fn hash(&self) -> Option<String> {
        (!self.is_empty()).then(|| Sha256::of(self.sparsity.to_json()).to_string())
    }

    /// Sets the gradients of masked weights to zero.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn apply<B: Backend>(
        &self,
        backend: &B,
        weights: &B::Weights,
        gradients: &mut B::Buffer,
    ) -> Result<()> {
        for range in &self.ranges {
            backend.clear_where_zero(gradients, weights, range.clone())?;
        }
        Ok(())
    }
}
