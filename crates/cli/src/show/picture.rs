//! Pictures of laws, as files.

use std::path::Path;

use crate::terminal::Output;

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
