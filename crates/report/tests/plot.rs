//! One small plot, to the byte.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use report::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};

fn plot() -> Plot {
    let points = vec![[1e6, 3.2], [2e6, 3.1], [4e6, 3.05]];
    let marks = points.iter().map(|&point| (point, format!("{:.2} nats", point[1]))).collect();
    let x = PlotAxis::around("tokens", AxisScale::Log, Unit::Count, points.iter().map(|p| p[0]));
    let losses = points.iter().map(|p| p[1]);
    let y = PlotAxis::around("nats per token", AxisScale::Linear, Unit::Plain, losses);
    Plot::new(
        "A run & <its> law".into(),
        "Held-out loss falls with tokens.".into(),
        [x.unwrap(), y.unwrap()],
        vec![
            Layer::Beyond { from: 3e6, label: "beyond".into() },
            Layer::Band {
                tone: Tone::Series(0),
                ends: points.iter().map(|p| [p[0], p[1] - 0.02, p[1] + 0.02]).collect(),
            },
            Layer::Level { y: 3.06, label: "unpruned".into() },
            Layer::Line { tone: Tone::Series(0), points, label: Some("rate 0.15".into()) },
            Layer::Points { tone: Tone::Series(0), points: marks, aside: false },
            Layer::Points {
                tone: Tone::Control,
                points: vec![([f64::NAN, 3.0], "nowhere".into())],
                aside: true,
            },
            Layer::Place {
                tone: Tone::Series(0),
                at: [2.5e6, 3.08],
                interval: Some([2e6, 3e6]),
                hint: "enough".into(),
            },
        ],
    )
}

#[test]
fn a_small_plot_is_drawn_as_before() {
    let svg = plot().svg();
    roxmltree::Document::parse(&svg).unwrap();
    // The style is the same everywhere; what is drawn is what matters here.
    let (before, style) = svg.split_once("<style>").unwrap();
    let (_, drawn) = style.split_once("</style>").unwrap();
    insta::assert_snapshot!(format!("{before}{drawn}").replace("><", ">\n<"));
}

#[test]
fn a_place_that_is_no_number_is_not_drawn() {
    let svg = plot().svg();
    assert!(!svg.contains("nowhere") && !svg.contains("NaN"));
}
