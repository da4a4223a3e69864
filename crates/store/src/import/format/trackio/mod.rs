//! trackio's database: one SQLite file a project, with a row a step whose numbers are JSON.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::reader::Import;
use crate::import::source::Head;

#[cfg(not(feature = "sqlite"))]
mod disabled;
#[cfg(feature = "sqlite")]
mod enabled;

#[cfg(not(feature = "sqlite"))]
use disabled::read;
#[cfg(feature = "sqlite")]
use enabled::read;

pub(in crate::import) struct Trackio;

const NAME: &str = "trackio";

impl Import for Trackio {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "the SQLite file of a trackio project"
    }

    fn recognises(&self, head: &Head) -> bool {
        head.bytes.starts_with(b"SQLite format 3\0")
    }

    fn read(&self, path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()> {
        read(path, asked, into)
    }
}
