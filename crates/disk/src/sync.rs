//! Makes files and their names durable.

use std::fs;
use std::path::Path;

use crate::{Result, io_error};

/// Makes the names in a folder durable. Does nothing if the system has no such call.
pub fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = fs::File::open(path).map_err(io_error("sync", path))?;
        folder.sync_all().map_err(io_error("sync", path))?;
    }
    Ok(())
}

/// Makes all files of a folder and their names durable, sub-folders included.
pub(crate) fn sync_all(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(io_error("sync", folder))? {
        let entry = entry.map_err(io_error("sync", folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(io_error("sync", folder))?);
        // Files before the folder: a durable name must not point to lost content.
        if kind.is_dir() {
            sync_all(&path)?;
        } else if kind.is_file() && cfg!(unix) {
            let file = fs::File::open(&path).map_err(io_error("sync", &path))?;
            file.sync_all().map_err(io_error("sync", &path))?;
        }
    }
    sync_folder(folder)
}
