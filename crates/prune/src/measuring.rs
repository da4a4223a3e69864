//! What a method sees of a model while it measures. The machine, and where the text is stored, are
//! hidden from it.

use std::path::Path;

use model::backend::Backend;
use model::folder::ModelFolder;

use crate::calibration::Sequences;
use crate::error::Result;
use crate::options::MethodOptions;
use crate::walk::{Visit, walk};

/// A model, its calibration text and a machine that runs the text through the model.
pub struct Measuring<'a> {
    folder: &'a ModelFolder,
    sequences: Option<&'a Sequences>,
    options: &'a MethodOptions,
    spill: Option<&'a Path>,
    run: Box<RunText<'a>>,
    progress: &'a mut dyn FnMut(usize, usize),
}

/// Runs the text through all blocks; hides the type of the machine.
type RunText<'a> = dyn Fn(&mut dyn Visit, &mut dyn FnMut(usize, usize)) -> Result<()> + 'a;

impl<'a> Measuring<'a> {
    /// Prepares to measure `folder` on `backend`. If a folder `spill` is given, activations are in
    /// files there. `progress` gets the blocks done, and of how many.
    pub fn new<B: Backend + Clone>(
        backend: &'a B,
        folder: &'a ModelFolder,
        sequences: Option<&'a Sequences>,
        options: &'a MethodOptions,
        spill: Option<&'a Path>,
        progress: &'a mut dyn FnMut(usize, usize),
    ) -> Self {
        // A closure, so that methods need not be generic over the machine.
        let run = move |visitor: &mut dyn Visit, progress: &mut dyn FnMut(usize, usize)| {
            let sequences = sequences.expect("text is drawn for a method that reads it");
            walk(backend.clone(), folder, sequences, spill, visitor, progress)
        };
        Self { folder, sequences, options, spill, run: Box::new(run), progress }
    }

    /// The model.
    pub fn folder(&self) -> &'a ModelFolder {
        self.folder
    }

    /// The calibration text.
    ///
    /// # Panics
    /// If there is none, since the method did not say that it reads text.
    pub fn sequences(&self) -> &'a Sequences {
        self.sequences.expect("text is drawn for a method that reads it")
    }

    /// The options of the method.
    pub fn options(&self) -> &'a MethodOptions {
        self.options
    }

    /// The folder for activations that are too large for memory, if one was named.
    pub fn spill(&self) -> Option<&'a Path> {
        self.spill
    }

    /// Reports blocks done, and of how many, for a method that does not [`Measuring::walk`].
    pub fn progress(&mut self, done: usize, of: usize) {
        (self.progress)(done, of);
    }

    /// Runs the text through every block and calls `visitor` for each.
    ///
    /// # Errors
    /// If weights or activations are not finite, the disk fails or memory is short; and the errors
    /// of `visitor`.
    ///
    /// # Panics
    /// As [`Measuring::sequences`].
    pub fn walk(&mut self, visitor: &mut dyn Visit) -> Result<()> {
        (self.run)(visitor, self.progress)
    }
}
