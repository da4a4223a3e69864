//! Answers of a law as pictures: a predicted loss on its curve, enough tokens, and the offers
//! within limits.

use law::levels::Subject;
use law::plan::{Allocation, Offer};
use law::{CurvePoint, GroupLaw, Place, Plan, Prediction};

use crate::number::{short_count, short_rate};
use crate::plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};

/// How many token counts a curve is drawn through.
const STEPS: i32 = 64;
/// A curve ends at this factor beyond the data.
const FARTHEST: f64 = 10.0;
/// People can tell this many lines apart in one plot.
const MOST_LINES: usize = 6;
/// The colour of the law.
const LAW: Tone = Tone::Series(0);

/// The law's curve for a run, a base or a place, with both intervals and the predicted loss. `None`
/// if there is no curve.
pub fn prediction_picture(
    group: &GroupLaw,
    subject: Subject<'_>,
    place: Place,
    tokens: f64,
    prediction: &Prediction,
) -> Option<String> {
    let mut sketch = Sketch::of(group, subject, place, [tokens])?;
    sketch.mark(tokens, prediction, Tone::Series(1));
    Some(sketch.draw(group, place, prediction.sentence())?.svg())
}

/// The law's curve at a place with its floor, and enough tokens with their interval. `None` if
/// there is no curve.
pub fn plan_picture(group: &GroupLaw, plan: &Plan) -> Option<String> {
    Some(plan_plot(group, plan, None)?.svg())
}

/// The same as a plot, with the loss after a number of tokens that was asked about.
pub(crate) fn plan_plot(
    group: &GroupLaw,
    plan: &Plan,
    asked: Option<(f64, &Prediction)>,
) -> Option<Plot> {
    let enough = plan.enough().value();
    let shown = enough.into_iter().chain(asked.map(|(tokens, _)| tokens));
    let mut sketch = Sketch::of(group, plan.subject(), plan.place(), shown)?;
    if let Some(floor) = plan.floor().value() {
        sketch.layers.push(Layer::Level { y: floor, label: "floor".into() });
        sketch.heights.push(floor);
    }
    for (loss, label) in [(plan.target_loss(), "target"), (plan.recovered_loss(), "recovered")] {
        if let Some(y) = loss {
            sketch.layers.push(Layer::Level { y, label: label.into() });
            sketch.heights.push(y);
        }
    }
    if let (Some(tokens), Some(loss)) = (enough, plan.loss_then()) {
        let hint = format!("enough: {} tokens, {loss:.4} nats per token", short_count(tokens));
        let interval = plan.enough().interval();
        sketch.layers.push(Layer::Place {
            tone: Tone::Series(1),
            at: [tokens, loss],
            interval,
            hint,
        });
        sketch.heights.push(loss);
    }
    if let Some((tokens, prediction)) = asked {
        sketch.mark(tokens, prediction, Tone::Series(2));
    }
    sketch.draw(group, plan.place(), plan.enough().sentence())
}

/// The measured held-out points of a run, `[tokens, nats per token]`, with the law's curve and
/// intervals where there is one. `None` without a point after the first token.
pub fn run_picture(
    name: &str,
    points: &[[f64; 2]],
    loss0: Option<f64>,
    law: Option<(&GroupLaw, Subject<'_>, Place)>,
) -> Option<String> {
    let measured: Vec<[f64; 2]> = points.iter().copied().filter(|point| point[0] > 0.0).collect();
    let ends = [measured.first()?[0], measured.last()?[0]];
    let sketch = law.and_then(|(group, subject, place)| Sketch::of(group, subject, place, ends));
    let with_law = sketch.is_some();
    let mut sketch = match sketch {
        Some(sketch) => sketch,
        None => {
            let x = PlotAxis::around("post-training tokens", AxisScale::Log, Unit::Count, ends)?;
            let level = |y| Layer::Level { y, label: "unpruned".into() };
            let layers = loss0.map(level).into_iter().collect();
            Sketch { x, layers, heights: loss0.into_iter().collect() }
        }
    };
    sketch.heights.extend(measured.iter().map(|point| point[1]));
    let hint = |&[tokens, loss]: &[f64; 2]| {
        ([tokens, loss], format!("{loss:.4} nats per token after {} tokens", short_count(tokens)))
    };
    let points = measured.iter().map(hint).collect();
    sketch.layers.push(Layer::Points { tone: Tone::Series(1), points, aside: false });
    let y = PlotAxis::around(
        "held-out loss, nats per token",
        AxisScale::Linear,
        Unit::Plain,
        sketch.heights,
    )?;
    let description = match with_law {
        true => "Points are measured; the line is the law's, with its intervals.",
        false => "Points are measured.",
    };
    Some(Plot::new(name.to_owned(), description.to_owned(), [sketch.x, y], sketch.layers).svg())
}

/// The offers: loss against the cost of post-training, with a line for each pruned model. Unpruned
/// models are levels. `None` if nothing has a cost.
pub fn choice_picture(found: &Allocation) -> Option<String> {
    Some(choice_plot(found)?.svg())
}

/// The same as a plot.
pub(crate) fn choice_plot(found: &Allocation) -> Option<Plot> {
    let paid = || found.front().iter().filter(|offer| offer.cost().flops() > 0.0);
    let x = PlotAxis::around(
        "floating-point operations",
        AxisScale::Log,
        Unit::Plain,
        paid().map(|offer| offer.cost().flops()),
    )?;
    let mut lines: Vec<(String, Vec<&Offer>)> = Vec::new();
    // The best candidates get a line each; all others share one, so that colours suffice.
    let names: Vec<String> = found.best().iter().map(name).collect();
    for offer in paid() {
        let own = name(offer);
        let known =
            names.iter().position(|name| *name == own).is_some_and(|rank| rank < MOST_LINES - 1);
        let key = if known || names.len() <= MOST_LINES { own } else { "others".to_owned() };
        match lines.iter_mut().find(|(name, _)| *name == key) {
            Some((_, offers)) => offers.push(offer),
            None => lines.push((key, vec![offer])),
        }
    }
    let mut layers = Vec::new();
    let mut heights: Vec<f64> = paid().map(|offer| offer.loss()).collect();
    for offer in found.front().iter().filter(|offer| offer.cost().flops() == 0.0) {
        let label = format!("{} as it is", model_name(offer));
        layers.push(Layer::Level { y: offer.loss(), label });
        heights.push(offer.loss());
    }
    for (i, (label, offers)) in lines.iter().enumerate() {
        let tone = Tone::Series(i);
        let points = offers.iter().map(|offer| [offer.cost().flops(), offer.loss()]).collect();
        layers.push(Layer::Line { tone, points, label: Some(label.clone()) });
        let hint = |offer: &&Offer| {
            let said = format!(
                "{}: {:.4} nats after {} tokens",
                name(offer),
                offer.loss(),
                short_count(offer.tokens())
            );
            ([offer.cost().flops(), offer.loss()], said)
        };
        layers.push(Layer::Points {
            tone,
            points: offers.iter().map(hint).collect(),
            aside: false,
        });
    }
    let y = PlotAxis::around(
        "loss after post-training, nats per token",
        AxisScale::Linear,
        Unit::Plain,
        heights,
    )?;
    let title = "What can be had: no other offer has less loss, size and cost".to_owned();
    let description = format!(
        "{} offers of {} pruned models against their cost.",
        paid().count(),
        found.best().len()
    );
    Some(Plot::new(title, description, [x, y], layers))
}

/// The best offer of each candidate: loss against size, with a line and a band for each method.
/// Unpruned models are levels. `None` if nothing is offered.
pub(crate) fn size_plot(found: &Allocation) -> Option<Plot> {
    let sizes = found.best().iter().map(Offer::parameters);
    let x = PlotAxis::around("parameters that are left", AxisScale::Log, Unit::Count, sizes)?;
    let mut lines: Vec<(String, Vec<&Offer>)> = Vec::new();
    for offer in found.best() {
        let method = offer.pruned().method_and_objective();
        match lines.iter_mut().find(|(known, _)| *known == method) {
            Some((_, offers)) => offers.push(offer),
            None => lines.push((method, vec![offer])),
        }
    }
    let (mut layers, mut heights) = (Vec::new(), Vec::new());
    for offer in found.front().iter().filter(|offer| offer.pruned().place().rate == 0.0) {
        layers.push(Layer::Level { y: offer.loss(), label: "unpruned".into() });
        heights.push(offer.loss());
    }
    let several = lines.len() > 1;
    for (i, (method, offers)) in lines.iter_mut().enumerate() {
        let tone = Tone::Series(i);
        offers.sort_by(|a, b| a.parameters().total_cmp(&b.parameters()));
        let ends = |offer: &&Offer| offer.mean().map(|[low, high]| [offer.parameters(), low, high]);
        let band: Vec<[f64; 3]> = offers.iter().filter_map(ends).collect();
        heights.extend(band.iter().flat_map(|[_, low, high]| [*low, *high]));
        heights.extend(offers.iter().map(|offer| offer.loss()));
        layers.push(Layer::Band { tone, ends: band });
        let points = offers.iter().map(|offer| [offer.parameters(), offer.loss()]).collect();
        layers.push(Layer::Line { tone, points, label: several.then(|| method.clone()) });
        let hint = |offer: &&Offer| {
            let said = format!(
                "rate {}, {} parameters: {:.4} nats after {} tokens",
                short_rate(offer.pruned().place().rate),
                short_count(offer.parameters()),
                offer.loss(),
                short_count(offer.tokens())
            );
            ([offer.parameters(), offer.loss()], said)
        };
        let points = offers.iter().map(hint).collect();
        layers.push(Layer::Points { tone, points, aside: false });
    }
    let y = PlotAxis::around(
        "loss after post-training, nats per token",
        AxisScale::Linear,
        Unit::Plain,
        heights,
    )?;
    let title = "What is left, and the loss that it reaches".to_owned();
    let description = format!(
        "The best offer of each of {} pruned models against its size. The shade is the interval of \
         the mean curve.",
        found.best().len()
    );
    Some(Plot::new(title, description, [x, y], layers))
}

/// A short name of a pruned model.
fn name(offer: &Offer) -> String {
    format!("{}, {}", model_name(offer), short_rate(offer.pruned().place().rate))
}

/// The model's name, or its size where it has none.
fn model_name(offer: &Offer) -> String {
    let pruned = offer.pruned();
    pruned.model().map_or_else(|| short_count(pruned.place().n0), str::to_owned)
}

/// A curve with its bands, and the marks on it.
struct Sketch {
    x: PlotAxis,
    layers: Vec<Layer>,
    heights: Vec<f64>,
}

impl Sketch {
    /// From the fewest tokens to the most, measured or asked for.
    fn of(
        group: &GroupLaw,
        subject: Subject<'_>,
        place: Place,
        asked: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        let [low, high] = group.ranges().get("tokens").copied()?;
        // A token count far outside would squeeze the measured part.
        let near = |tokens: &f64| (low / FARTHEST..=high * FARTHEST).contains(tokens);
        let shown: Vec<f64> = asked.into_iter().filter(near).chain([low, high]).collect();
        let x = PlotAxis::around("post-training tokens", AxisScale::Log, Unit::Count, shown)?;
        let [from, to] = x.range();
        let at = |i: i32| from * (to / from).powf(f64::from(i) / f64::from(STEPS));
        let points = group.curve(subject, place, (0..=STEPS).map(at)).ok()?;
        let ends = |of: fn(&CurvePoint) -> Option<[f64; 2]>| -> Vec<[f64; 3]> {
            let end = |point: &CurvePoint| of(point).map(|[low, high]| [point.tokens(), low, high]);
            points.iter().filter_map(end).collect()
        };
        let (mean, new_run) = (ends(CurvePoint::mean), ends(CurvePoint::new_run));
        let line: Vec<[f64; 2]> =
            points.iter().map(|point| [point.tokens(), point.loss()]).collect();
        // A law that predicts nothing here has no picture.
        (!line.is_empty()).then_some(())?;
        let heights = line.iter().map(|point| point[1]).chain([place.loss0]).collect();
        let layers = vec![
            // Layers are drawn in this order, so the bands lie under the line.
            Layer::Beyond { from: high, label: "beyond the data".into() },
            Layer::Level { y: place.loss0, label: "unpruned".into() },
            Layer::Band { tone: LAW, ends: new_run },
            Layer::Band { tone: LAW, ends: mean },
            Layer::Line { tone: LAW, points: line, label: Some("law".into()) },
        ];
        Some(Self { x, layers, heights })
    }

    /// Marks the predicted loss, if there is one.
    fn mark(&mut self, tokens: f64, prediction: &Prediction, tone: Tone) {
        if let Some(loss) = prediction.loss() {
            let hint = format!("{loss:.4} nats per token after {} tokens", short_count(tokens));
            let points = vec![([tokens, loss], hint)];
            self.layers.push(Layer::Points { tone, points, aside: false });
            self.heights.push(loss);
        }
    }

    fn draw(self, group: &GroupLaw, place: Place, sentence: &str) -> Option<Plot> {
        let y = PlotAxis::around(
            "held-out loss, nats per token",
            AxisScale::Linear,
            Unit::Plain,
            self.heights,
        )?;
        let title = format!(
            "{} {}: {} parameters before pruning, rate {}",
            group.series(),
            group.method_and_objective(),
            short_count(place.n0),
            short_rate(place.rate)
        );
        let [darker, lighter] = match group.levels() {
            Some(_) => ["its curve", "a point measured on it"],
            None => ["the mean curve", "a new run"],
        };
        let description = format!(
            "{sentence}. The darker shade is the interval of {darker}, the lighter one that of {lighter}, level {}.",
            group.level()
        );
        Some(Plot::new(title, description, [self.x, y], self.layers))
    }
}
