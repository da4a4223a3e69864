//! Without the feature `sqlite`.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::failure::ImportError;
use crate::import::gathered::Gathered;

pub(super) fn read(path: &Path, _: &Asked, _: &mut Gathered) -> Result<()> {
    Err(ImportError::NoSqlite { path: path.to_path_buf() }.into())
}
