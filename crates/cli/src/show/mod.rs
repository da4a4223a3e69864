//! How results are shown to people: numbers and tables.

pub(crate) mod number;
pub(crate) mod picture;
#[cfg(feature = "png")]
mod png;
pub(crate) mod table;

/// Whether an objective is the next-token loss, which JSON leaves out.
pub(crate) fn is_lm(objective: &&str) -> bool {
    *objective == ledger::Objective::LM
}
