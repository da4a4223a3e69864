//! A build without the feature `hub`.

use std::path::PathBuf;

use super::Id;
use crate::hinted::hinted;
use crate::observer::Observer;

pub(super) fn fetch(id: &Id, _observer: &mut dyn Observer) -> anyhow::Result<PathBuf> {
    let error =
        anyhow::anyhow!("`{id}` is no folder, and this build of regrow cannot fetch models");
    Err(hinted(error, "name a model folder, or build with the feature `hub`"))
}
