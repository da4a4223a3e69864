//! Pictures of laws, as files.

use std::path::Path;

use disk::FileKind;

use crate::terminal::Output;

/// The files that this module writes. `report` gives every picture this class.
pub(crate) const KIND: FileKind = FileKind::new("a picture", "<svg class=\"plot\"", "");

/// Writes a picture, or warns that there is nothing to draw.
pub(crate) fn write(path: &Path, picture: Option<String>, output: &Output) -> anyhow::Result<()> {
    match picture {
        Some(picture) => {
            disk::write(path, picture.as_bytes())?;
            output.say(&format!("the picture is in `{}`", path.display()));
        }
        // Only a warning: the numbers are printed all the same.
        None => output
            .warn(&format!("`{}` is not written: the data leave no curve to draw", path.display())),
    }
    Ok(())
}
