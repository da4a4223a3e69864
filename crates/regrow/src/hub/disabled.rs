//! A build without the feature `hub`.

use std::path::PathBuf;

use super::id::HubId;
use crate::error::{Error, ErrorKind, Result};
use crate::observer::Observer;

pub(super) fn fetch(id: &HubId, _observer: &mut dyn Observer) -> Result<PathBuf> {
    let message = format!("`{id}` is no folder, and this build of regrow cannot fetch models");
    Err(Error::new(ErrorKind::NoHub, message))
}

pub(super) fn in_cache(_id: &HubId) -> Option<PathBuf> {
    None
}
