//! Public models by their name.

use shape::catalog::{self, PublicModel};

use crate::error::{Error, ErrorKind, Result};

/// The public model with this name. The caller has checked that no folder has it.
///
/// # Errors
/// Where there is no such model.
pub fn public_model(name: &str) -> Result<&'static PublicModel> {
    catalog::find(name).ok_or_else(|| {
        let message = format!("`{name}` is neither a folder nor the name of a public model");
        Error::new(ErrorKind::UnknownModel, message)
    })
}
