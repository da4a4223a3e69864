//! Legal rates and widths: which sizes whole blocks, multiples and groups of heads allow, computed
//! from a configuration alone.

mod depth;
mod illegal;
mod width;

pub use depth::{LegalRate, TOLERANCE, legal_rates, nearest};
pub use illegal::Illegal;
pub use width::{Sizes, Smaller, WidthOptions, Widths, choices, named};
