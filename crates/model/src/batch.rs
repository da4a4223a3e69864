//! The input of one pass: tokens of several sequences end to end, and their targets.

use std::ops::Range;

use crate::backend::IGNORED;
use crate::error::ModelFault;
use crate::{Error, Result};

/// Sequences end to end. Attention and positions start again at each sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    tokens: Vec<u32>,
    targets: Vec<u32>,
    sequences: Vec<Range<usize>>,
    positions: Vec<u32>,
}

impl Batch {
    /// A batch without sequences.
    pub fn new() -> Self {
        Batch::default()
    }

    /// Adds a sequence. `targets` has the length of `tokens`, with [`IGNORED`] for tokens without a
    /// prediction.
    pub fn push(&mut self, tokens: &[u32], targets: &[u32]) {
        assert_eq!(tokens.len(), targets.len(), "a target for every token");
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.targets.extend_from_slice(targets);
        self.sequences.push(start..self.tokens.len());
        self.positions.extend(0..tokens.len() as u32);
    }

    /// Adds a sequence in which every token predicts the next.
    ///
    /// # Errors
    /// If `window` holds fewer than two tokens.
    pub fn push_window(&mut self, window: &[u32]) -> Result<()> {
        let [inputs @ .., _] = window else { return Err(too_short(window)) };
        let [_, targets @ ..] = window else { return Err(too_short(window)) };
        if inputs.is_empty() {
            return Err(too_short(window));
        }
        self.push(inputs, targets);
        Ok(())
    }

    /// Removes all sequences and keeps the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.targets.clear();
        self.sequences.clear();
        self.positions.clear();
    }

    /// Tokens read.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What each token should predict.
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// Rows of each sequence.
    pub fn sequences(&self) -> &[Range<usize>] {
        &self.sequences
    }

    /// Position of each token in its sequence.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Number of tokens that count in the loss.
    pub fn predicted(&self) -> usize {
        self.targets.iter().filter(|&&target| target != IGNORED).count()
    }

    /// Checks every id against the vocabulary, and the length of every sequence against the longest
    /// context.
    ///
    /// # Errors
    /// If an id or a length does not fit.
    pub fn check(&self, vocabulary: usize, longest: usize) -> Result<()> {
        let ids = self.tokens.iter().zip(&self.targets).enumerate();
        for (position, (&token, &target)) in ids {
            for id in [token, target] {
                // `IGNORED` is allowed as a target, but not as a token.
                if id as usize >= vocabulary
                    && !(id == IGNORED && target == IGNORED && token != IGNORED)
                {
                    return Err(Error::from(ModelFault::TokenOutOfRange {
                        found: id,
                        position,
                        vocabulary,
                    }));
                }
            }
        }
        if let Some(sequence) = self.sequences.iter().find(|sequence| sequence.len() > longest) {
            let reason =
                format!("a sequence of {} tokens, expected at most {longest}", sequence.len());
            return Err(Error::from(ModelFault::Batch { reason }));
        }
        Ok(())
    }
}

fn too_short(window: &[u32]) -> Error {
    Error::from(ModelFault::Batch {
        reason: format!("a window of {} tokens, expected two or more", window.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_predicts_each_next_token() {
        let mut batch = Batch::new();
        batch.push_window(&[5, 6, 7]).unwrap();
        batch.push_window(&[8, 9]).unwrap();
        assert_eq!(batch.tokens(), [5, 6, 8]);
        assert_eq!(batch.targets(), [6, 7, 9]);
        assert_eq!(batch.positions(), [0, 1, 0]);
        assert_eq!(batch.sequences(), [0..2, 2..3]);
        assert!(batch.push_window(&[1]).is_err());
    }

    #[test]
    fn ids_outside_the_vocabulary_and_long_sequences_are_refused() {
        let mut batch = Batch::new();
        batch.push(&[1, 2], &[2, IGNORED]);
        assert!(batch.check(3, 2).is_ok());
        let refused = |found: Result<()>| found.unwrap_err().to_string();
        let expected = "token id 2 at position 0 is out of range, expected below 2";
        assert_eq!(refused(batch.check(2, 2)), expected);
        assert!(refused(batch.check(3, 1)).starts_with("a batch is malformed: "));
        batch.push(&[IGNORED], &[IGNORED]);
        assert!(batch.check(3, 2).is_err());
    }
}
