//! Where a teacher's distributions come from: its network, or a cache.

use std::ops::Range;

use crate::Result;
use crate::backend::Backend;
use crate::decoder::Decoder;
use crate::lesson::{Lesson, TopTokens};
use crate::teacher_cache::TeacherCache;
use crate::workspace::Workspace;

/// A teacher of the rows of a corpus.
pub struct Teacher<'a, B: Backend>(Kind<'a, B>);

enum Kind<'a, B: Backend> {
    Network { decoder: &'a Decoder<B>, weights: &'a B::Weights, space: Workspace<B> },
    Cache { cache: &'a TeacherCache, top: TopTokens },
}

impl<'a, B: Backend> Teacher<'a, B> {
    /// A network with its weights.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn network(decoder: &'a Decoder<B>, weights: &'a B::Weights) -> Result<Self> {
        Ok(Teacher(Kind::Network { decoder, weights, space: decoder.workspace()? }))
    }

    /// A cache.
    pub fn cache(cache: &'a TeacherCache) -> Self {
        Teacher(Kind::Cache { cache, top: TopTokens::new(cache.info().top()) })
    }

    /// What it says about a batch of these training rows, at this temperature. A network reads the
    /// batch itself, so it needs neither.
    ///
    /// # Errors
    /// If a cache has no such rows, or not this temperature.
    pub fn training(&mut self, rows: &[Range<u64>], temperature: f64) -> Result<Lesson<'_, B>> {
        if let Kind::Cache { cache, top } = &mut self.0 {
            top.clear();
            for rows in rows {
                cache.read_train(rows.clone(), temperature, top)?;
            }
        }
        Ok(self.lesson())
    }

    /// The same of held-out rows in the evaluator's order, at temperature 1.
    ///
    /// # Errors
    /// If a cache has no such rows.
    pub fn heldout(&mut self, rows: Range<u64>) -> Result<Lesson<'_, B>> {
        if let Kind::Cache { cache, top } = &mut self.0 {
            top.clear();
            cache.read_heldout(rows, top)?;
        }
        Ok(self.lesson())
    }

    fn lesson(&mut self) -> Lesson<'_, B> {
        match &mut self.0 {
            Kind::Network { decoder, weights, space } => {
                Lesson::Network { decoder, weights, space }
            }
            Kind::Cache { top, .. } => Lesson::Top(top),
        }
    }
}
