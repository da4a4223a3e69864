//! Forms: formulas with unknown constants. A file and a line in [`FORMS`] each.
//!
//! A form says how its constants enter. Those that enter linearly come first in
//! [`Form::parameters`]: for given exponents they are found exactly, so only the exponents are
//! searched. It also says which axes it follows and, where the data hold too few levels of one,
//! which form takes its place.

mod axis;
mod chinchilla;
mod compression;
mod constants;
mod family;
mod formula;
mod p2;
mod pruning;
mod shifted;
mod sparsity;

pub use axis::{Axis, Follows, Levels};
pub use formula::{Form, MOST_PARAMETERS, Parameter};
pub use p2::{Floor, P2, Terms, TokenTerm};

use std::sync::LazyLock;

use crate::error::{Fault, Result};

/// Every form: the members of the P2 family, then its rivals.
///
/// ```
/// assert!(law::form::FORMS.iter().any(|form| form.name() == "p2"));
/// ```
pub static FORMS: LazyLock<Vec<&'static dyn Form>> = LazyLock::new(|| {
    let rivals: [&'static dyn Form; 5] = [
        &shifted::Shifted,
        &compression::Compression,
        &pruning::Pruning,
        &sparsity::Sparsity,
        &chinchilla::Chinchilla,
    ];
    let members = family::MEMBERS.iter().map(|member| member as &'static dyn Form);
    members.chain(rivals).collect()
});

/// The form of a name; an unknown name is answered with the nearest.
///
/// ```
/// assert_eq!(law::form::by_name("p2")?.parameters().len(), 7);
/// let error = law::form::by_name("p2-no-dleta").err().unwrap();
/// assert_eq!(error.to_string(), "there is no form `p2-no-dleta`; the nearest is `p2-no-delta`");
/// # Ok::<(), law::Error>(())
/// ```
pub fn by_name(name: &str) -> Result<&'static dyn Form> {
    let found = FORMS.iter().find(|form| form.name() == name);
    found.copied().ok_or_else(|| {
        let nearest = FORMS.iter().min_by_key(|form| distance(name, form.name()));
        Fault::UnknownForm {
            found: name.to_owned(),
            nearest: nearest.map_or("p2", |form| form.name()),
        }
        .into()
    })
}

/// Letters to change, add or drop to come from one word to the other (Levenshtein). Only the start
/// of a long name is looked at: it may come from a file, and the time grows with its length.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let start: String = from.chars().take(64).collect();
    strsim::levenshtein(&start, to)
}
