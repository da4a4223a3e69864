//! Pictures of laws, as files: SVG or PNG, by the ending of the name.

use std::path::Path;

use disk::{Existing, FileKind};

use crate::terminal::{Output, usage};

/// SVG files that this module writes. `report` gives every picture this class.
const SVG: FileKind = FileKind::new("a picture", "<svg class=\"plot\"", "");

/// PNG files that this module writes. The first byte of a PNG is not UTF-8.
const PNG: FileKind = FileKind::new("a picture", "\u{fffd}PNG", "regrow");

/// Checks, before any work, that a picture may be written to `path`.
///
/// # Errors
/// Where the name ends in neither `.svg` nor `.png`, or what is there must not be replaced.
pub(crate) fn check(path: &Path, existing: Existing, inputs: &[&Path]) -> anyhow::Result<()> {
    let ending = is_png(path);
    let kind = if matches!(ending, Ok(true)) { &PNG } else { &SVG };
    // First what is there, which matters more than how it is called.
    kind.check(path, existing, inputs)?;
    ending.map(|_| ())
}

/// Writes a picture, or warns that there is nothing to draw.
pub(crate) fn write(path: &Path, picture: Option<String>, output: &Output) -> anyhow::Result<()> {
    match picture {
        Some(picture) => {
            write_svg(path, &picture)?;
            output.say(&format!("the picture is in `{}`", path.display()));
        }
        // Only a warning: the numbers are printed all the same.
        None => output
            .warn(&format!("`{}` is not written: the data leave no curve to draw", path.display())),
    }
    Ok(())
}

/// Writes a picture that is given as SVG.
pub(crate) fn write_svg(path: &Path, svg: &str) -> anyhow::Result<()> {
    match is_png(path)? {
        true => Ok(disk::write(path, &png(svg)?)?),
        false => Ok(disk::write(path, svg.as_bytes())?),
    }
}

/// Whether a picture becomes PNG, and not SVG.
fn is_png(path: &Path) -> anyhow::Result<bool> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "svg" => Ok(false),
        "png" if cfg!(feature = "png") => Ok(true),
        "png" => Err(usage(
            "PNG needs the feature `png`, which this build lacks: give a name that ends in `.svg`",
        )),
        _ => Err(usage(format!("`{}`: a picture's name ends in `.svg` or `.png`", path.display()))),
    }
}

#[cfg(feature = "png")]
fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    super::png::png(svg)
}

#[cfg(not(feature = "png"))]
fn png(_svg: &str) -> anyhow::Result<Vec<u8>> {
    anyhow::bail!("this build draws no PNG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_name_says() {
        assert!(!is_png(Path::new("a/curve.SVG")).unwrap());
        assert_eq!(is_png(Path::new("curve.png")).ok(), cfg!(feature = "png").then_some(true));
        for name in ["curve", "curve.jpg", "curve.pdf", ".svg"] {
            let error = is_png(Path::new(name)).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}`: a picture's name ends in `.svg` or `.png`"));
        }
    }

    #[cfg(feature = "png")]
    #[test]
    fn only_our_own_pictures_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let check = || check(&path, Existing::Replace, &[]);
        check().unwrap();
        std::fs::write(&path, b"\x89PNG\r\n\x1a\nholiday").unwrap();
        assert!(check().unwrap_err().to_string().contains("is not a picture made by regrow"));
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n....tEXtSoftware\0regrow").unwrap();
        check().unwrap();
    }
}
