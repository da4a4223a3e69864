//! Forms: formulas with unknown constants. Each has a file and a line in [`FORMS`].
//!
//! A form says how its constants enter. The linear ones come first in [`Form::parameters`]. For
//! given exponents they have an exact solution, so only exponents are searched. A form also says
//! which axes it depends on, and which form replaces it if the data have too few levels.

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

pub use axis::{Axis, Follows, Grid};
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

/// The form with this name. The error for an unknown name gives the nearest one.
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

/// The number of letters to change, add or drop to turn one word into the other (Levenshtein). A
/// long name may come from a file, and the time grows with its length, so only its start is
/// compared.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let start: String = from.chars().take(64).collect();
    strsim::levenshtein(&start, to)
}
