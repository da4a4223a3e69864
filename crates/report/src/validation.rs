//! Held-out curves with the band in which a new run was expected. There is one plot for each run
//! and way of holding out.

use law::validate::{GroupValidation, HeldOutCurve, Holdout};

use crate::number::{short_count, short_rate};
use crate::plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};

/// All held-out curves of a group as one SVG file. Ways that the data do not allow have no plots.
pub fn validation_picture(group: &GroupValidation) -> String {
    let of_split = |split: &'_ Holdout| {
        let plots = split.curves().iter().filter_map(|curve| plot(split, curve));
        plots.collect::<Vec<Plot>>()
    };
    let plots: Vec<Plot> = group.splits().iter().flat_map(of_split).collect();
    let (inside, banded) = group
        .splits()
        .iter()
        .fold((0, 0), |(inside, banded), split| (inside + split.inside(), banded + split.banded()));
    let title = format!(
        "{} {}, form {}: {inside} of {banded} held-out points lie in their band",
        group.series(),
        group.method_and_objective(),
        group.form()
    );
    Plot::grid(&plots.iter().collect::<Vec<_>>(), plots.len().min(3), &title)
}

fn plot(split: &Holdout, curve: &HeldOutCurve) -> Option<Plot> {
    let tone = Tone::Series(0);
    let points = |values: &[[f64; 2]], said: &str| {
        let hint = |at: &[f64; 2]| {
            (*at, format!("{said}: {:.4} nats after {} tokens", at[1], short_count(at[0])))
        };
        values.iter().map(hint).collect::<Vec<_>>()
    };
    let measured = || curve.fitted().iter().chain(curve.held_out());
    let x = PlotAxis::around(
        "post-training tokens",
        AxisScale::Log,
        Unit::Count,
        measured().map(|at| at[0]),
    )?;
    let heights = measured().map(|at| at[1]).chain(curve.curve().iter().map(|at| at[1]));
    let y =
        PlotAxis::around("held-out loss, nats per token", AxisScale::Linear, Unit::Plain, heights)?;
    let mut layers = Vec::new();
    // The shade separates two parts of one run. A run held out as a whole has no such parts.
    if let (false, Some([from, _])) = (curve.fitted().is_empty(), curve.held_out().first()) {
        layers.push(Layer::Beyond { from: *from, label: "held out".into() });
    }
    layers.push(Layer::Band { tone, ends: curve.band().to_vec() });
    layers.push(Layer::Line { tone, points: curve.curve().to_vec(), label: Some("law".into()) });
    layers.push(Layer::Points { tone, points: points(curve.fitted(), "fitted"), aside: true });
    layers.push(Layer::Points { tone, points: points(curve.held_out(), "held out"), aside: false });
    let place = format!(
        "{} parameters, rate {}",
        short_count(curve.place().n0),
        short_rate(curve.place().rate)
    );
    let band = match curve.band().is_empty() {
        true => "The data left cannot tell where a new run would lie.".to_owned(),
        false => format!("The shade is where a new run was expected, level {}.", split.level()),
    };
    let title = format!("{}: {place}", split.name());
    let description = format!(
        "Run {} ({place}), {} points held out. {band}",
        curve.run(),
        curve.held_out().len()
    );
    Some(Plot::new(title, description, [x, y], layers))
}
