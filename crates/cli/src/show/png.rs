//! Pictures as PNG: an SVG of ours at twice its size, its text set in a font of the system.

use anyhow::{Context, anyhow};
use resvg::usvg::{Options, Tree, fontdb::Database};
use resvg::{tiny_skia, usvg};

use crate::terminal::hinted;

/// Pixels for a unit of the SVG, so that text stays sharp on dense screens and in print.
const SCALE: f32 = 2.0;

/// Fonts without serifs that are often there, the best first.
const FAMILIES: [&str; 9] = [
    "Inter",
    "Segoe UI",
    "Roboto",
    "Helvetica Neue",
    "Noto Sans",
    "Liberation Sans",
    "DejaVu Sans",
    "Arial",
    "FreeSans",
];

/// The bytes of a PNG file.
///
/// # Errors
/// Where the system has no font: text would be missing without a word.
pub(super) fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut options = Options::default();
    options.fontdb_mut().load_system_fonts();
    let family = family(options.fontdb_mut()).ok_or_else(|| {
        let error = anyhow!("no font is installed, and the picture has text");
        hinted(
            error,
            "install one, for example DejaVu Sans, or give `--out` a name that ends in `.svg`",
        )
    })?;
    options.fontdb_mut().set_sans_serif_family(family.clone());
    options.font_family = family;
    let tree =
        Tree::from_str(&without_variables(svg), &options).context("the picture cannot be drawn")?;
    draw(&tree)
}

fn draw(tree: &usvg::Tree) -> anyhow::Result<Vec<u8>> {
    let size = tree.size().to_int_size().scale_by(SCALE);
    let mut pixels = size
        .and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()))
        .context("the picture is too large for a PNG")?;
    resvg::render(tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    let (width, height) = (pixels.width(), pixels.height());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    // By this line a picture of ours is known when it is to be replaced.
    encoder.add_text_chunk("Software".to_owned(), "regrow".to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels.take_demultiplied())?;
    writer.finish()?;
    Ok(bytes)
}

/// The family that stands for every font without serifs.
fn family(fonts: &Database) -> Option<String> {
    let has = |name: &&&str| {
        let named = |(family, _): &(String, _)| family == **name;
        fonts.faces().any(|face| face.families.iter().any(named))
    };
    let known = FAMILIES.iter().find(has).map(|name| (*name).to_owned());
    known.or_else(|| Some(fonts.faces().next()?.families.first()?.0.clone()))
}

/// Leaves out style declarations with variables. A browser changes colours by them; each stands
/// behind the same declaration with the colour of light paper.
fn without_variables(svg: &str) -> String {
    let mut parts = svg.split("var(--");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The name of the property, after the declaration before it.
        let begins = plain.rfind([';', '{']).map_or(0, |at| at + 1);
        plain.truncate(begins);
        plain += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use report::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};

    use super::*;

    fn picture() -> String {
        let points = vec![[1e6, 3.2], [2e6, 3.1], [4e6, 3.05]];
        let (xs, ys) = (points.iter().map(|p| p[0]), points.iter().map(|p| p[1]));
        let x = PlotAxis::around("tokens", AxisScale::Log, Unit::Count, xs).unwrap();
        let y = PlotAxis::around("nats per token", AxisScale::Linear, Unit::Plain, ys).unwrap();
        let line = Layer::Line { tone: Tone::Series(0), points, label: Some("rate 0.15".into()) };
        Plot::new("A run".into(), "Held-out loss falls.".into(), [x, y], vec![line]).svg()
    }

    #[test]
    fn declarations_with_variables_go_and_their_colours_stay() {
        let style = ".a{fill:#fff;fill:var(--ink)}.b{stroke:var(--s0);stroke-width:2}";
        assert_eq!(without_variables(style), ".a{fill:#fff;}.b{;stroke-width:2}");
        assert!(!without_variables(&picture()).contains("var("));
    }

    #[test]
    fn a_picture_has_its_lines_and_its_text_in_colour() {
        let svg = picture();
        let bytes = match png(&svg) {
            Ok(bytes) => bytes,
            Err(error) => {
                assert!(error.to_string().contains("no font is installed"), "{error}");
                eprintln!("skipped: a_picture_has_its_lines_and_its_text_in_colour: {error}");
                return;
            }
        };
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let width: u32 =
            svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert_eq!(info.width, 2 * width);
        let count = |rgb: [u8; 3]| pixels.chunks_exact(4).filter(|pixel| pixel[..3] == rgb).count();
        // Paper, the line in the first colour, and letters in ink.
        let [paper, line, ink] = [[255, 255, 255], [0, 0x72, 0xb2], [0x1c, 0x21, 0x27]].map(count);
        assert!(paper > pixels.len() / 8 && line > 500 && ink > 200, "{paper} {line} {ink}");
        assert!(String::from_utf8_lossy(&bytes[..200]).contains("regrow"));
    }
}
