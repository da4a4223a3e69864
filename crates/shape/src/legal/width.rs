//! Legal widths of width pruning: those that multiples and whole groups of heads allow.

use std::cmp::Ordering;
use std::fmt;

use crate::config::ModelConfig;
use crate::count::Count;
use ledger::{Held, Part, Width};

use super::depth::check_rate;
use super::illegal::Illegal;

/// Shapes whose distances to the requested rate differ by less count as equally near. The most even
/// of them is chosen.
const STEP: f64 = 0.005;

/// If no multiple is requested, the chosen one leaves at least this many widths and is at most
/// [`LARGEST`].
const WIDTHS: usize = 16;
const LARGEST: usize = 64;

/// The widths of a model, the same in every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Channels of the residual stream.
    pub hidden: usize,
    /// Feed-forward neurons.
    pub ffn: usize,
    /// Query heads.
    pub heads: usize,
    /// Groups of heads: key and value heads.
    pub groups: usize,
    /// Channels of one head, which pruning never changes.
    pub head_dim: usize,
}

/// A smaller model that pruning can make, and its share of the original.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smaller {
    /// Blocks that stay.
    pub layers: usize,
    /// Their widths.
    pub shape: Widths,
    /// What stays; parameters that are zero do not count.
    pub held: Held,
}

/// Which parts may become narrower, and in which steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WidthOptions {
    /// The parts that may become narrower.
    pub parts: Vec<Part>,
    /// The number of channels of the residual stream stays a multiple of this. `None` chooses one
    /// by the width.
    pub hidden_multiple: Option<usize>,
    /// The number of neurons stays a multiple of this; `None` as above.
    pub ffn_multiple: Option<usize>,
}

/// Sizes that are requested instead of a rate. A part without a size stays whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Channels of the residual stream that stay.
    pub hidden: Option<usize>,
    /// Feed-forward neurons that stay in each block.
    pub ffn: Option<usize>,
    /// Query heads that stay in each block: whole groups of them.
    pub heads: Option<usize>,
}

impl Default for WidthOptions {
    fn default() -> Self {
        Self { parts: Part::ALL.to_vec(), hidden_multiple: None, ffn_multiple: None }
    }
}

impl WidthOptions {
    /// Checks options that no method could use.
    ///
    /// # Errors
    /// If a multiple is 0, no part is named, or a part is named twice.
    pub fn check(&self) -> Result<(), Illegal> {
        for (field, multiple) in [
            ("multiple of the hidden size", self.hidden_multiple),
            ("multiple of neurons", self.ffn_multiple),
        ] {
            if multiple == Some(0) {
                return Err(Illegal::other(format!("the {field} is 0, expected at least 1")));
            }
        }
        let named = |part: &Part| self.parts.iter().filter(|other| *other == part).count();
        if self.parts.is_empty() || self.parts.iter().any(|part| named(part) > 1) {
            let found = self.parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(",");
            return Err(Illegal::other(format!(
                "the parts to narrow are `{found}`, expected some of `hidden`, `ffn` and `heads`, \
                 each once"
            )));
        }
        Ok(())
    }
}

impl Widths {
    /// The widths of a model.
    pub fn of(config: &ModelConfig) -> Self {
        Self {
            hidden: config.hidden_size(),
            ffn: config.intermediate_size(),
            heads: config.num_attention_heads(),
            groups: config.num_key_value_heads(),
            head_dim: config.head_dim(),
        }
    }

    /// The size of a part: channels, neurons or groups.
    pub fn size(&self, part: Part) -> usize {
        match part {
            Part::Hidden => self.hidden,
            Part::Ffn => self.ffn,
            Part::Heads => self.groups,
        }
    }

    /// The widths after a cut.
    pub fn after(&self, width: &Width) -> Self {
        let size = |part| width.change(part).map_or(self.size(part), |(_, kept)| kept);
        let groups = size(Part::Heads);
        // Every group keeps all of its query heads.
        let heads = self.heads / self.groups * groups;
        Self { hidden: size(Part::Hidden), ffn: size(Part::Ffn), heads, groups, ..*self }
    }

    /// The configuration of a model of these widths.
    pub fn apply(&self, config: &ModelConfig) -> ModelConfig {
        config.narrowed(self.hidden, self.ffn, self.groups)
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hidden, ffn, heads, groups, .. } = self;
        write!(f, "hidden {hidden}, ffn {ffn}, heads {heads} in {groups} groups")
    }
}

impl Smaller {
    /// The shape and share of a smaller configuration of a model.
    ///
    /// # Errors
    /// If `smaller` is not smaller.
    pub fn of(config: &ModelConfig, smaller: &ModelConfig) -> Result<Self, Illegal> {
        Self::between(smaller, Widths::of(smaller), &Count::of(config), &Count::of(smaller))
    }

    fn between(
        smaller: &ModelConfig,
        shape: Widths,
        before: &Count,
        after: &Count,
    ) -> Result<Self, Illegal> {
        let held = Held::of(before.both(), after.both()).map_err(|_| Illegal::nothing_goes())?;
        Ok(Self { layers: smaller.num_hidden_layers(), shape, held })
    }
}

/// The legal shapes nearest to a rate, best first, at most `most` of them.
///
/// In a legal shape, channels and neurons are whole or multiples of what [`WidthOptions`] says, and
/// heads are whole groups. Stock transformers must load it: its Llama needs a hidden size that is a
/// multiple of the heads. Shapes within 0.005 of the nearest are sorted by how equal the shares are
/// that their parts keep.
///
/// # Errors
/// If `asked` is not a rate or `tolerance` not a distance, and the errors of
/// [`WidthOptions::check`]. [`Illegal::NoShapeNear`] if the nearest shape is farther away than
/// `tolerance`.
///
/// # Panics
/// If the configuration was made by hand and its parameters cannot be counted.
pub fn choices(
    config: &ModelConfig,
    asked: f64,
    tolerance: f64,
    options: &WidthOptions,
    most: usize,
) -> Result<Vec<Smaller>, Illegal> {
    options.check()?;
    check_rate(asked, tolerance)?;
    let all = candidates(config, asked, options);
    let distance = |choice: &Smaller| (choice.held.rate().get() - asked).abs();
    let nearest = all.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let Some(&nearest) = nearest.filter(|nearest| distance(nearest) <= tolerance + 1e-12) else {
        let nearest = match nearest {
            Some(Smaller { held, shape, .. }) => {
                format!("the nearest is {} ({shape})", held.rate())
            }
            None => "the model has no narrower shape".to_owned(),
        };
        return Err(Illegal::NoShapeNear {
            message: format!("no legal shape comes within {tolerance} of rate {asked}: {nearest}"),
        });
    };
    // Many shapes come equally near; an even one changes the model less one-sidedly.
    let limit = distance(&nearest) + STEP;
    let mut near: Vec<Smaller> =
        all.into_iter().filter(|choice| distance(choice) <= limit).collect();
    let whole = Widths::of(config);
    let order = |a: &Smaller, b: &Smaller| -> Ordering {
        let key = |choice: &Smaller| unevenness(&choice.shape, &whole, options);
        key(a).total_cmp(&key(b)).then(distance(a).total_cmp(&distance(b)))
    };
    near.sort_by(order);
    near.truncate(most);
    Ok(near)
}

/// The smaller model that the requested sizes give.
///
/// # Errors
/// If a size is 0 or larger than the model's, nothing is removed, heads are not whole groups, or
/// stock transformers would refuse the shape.
pub fn named(config: &ModelConfig, sizes: &Sizes) -> Result<Smaller, Illegal> {
    let whole = Widths::of(config);
    let group = whole.heads / whole.groups;
    let size = |part: Part, found: Option<usize>, of: usize| match found {
        Some(found) if found == 0 || found > of => {
            Err(Illegal::other(format!("{found} {part} are to stay of {of}, expected 1 to {of}")))
        }
        found => Ok(found.unwrap_or(of)),
    };
    let heads = size(Part::Heads, sizes.heads, whole.heads)?;
    if !heads.is_multiple_of(group) {
        return Err(Illegal::other(format!(
            "{heads} heads are to stay of {}, expected a multiple of {group}: as many read each key \
             and value head",
            whole.heads
        )));
    }
    let shape = Widths {
        hidden: size(Part::Hidden, sizes.hidden, whole.hidden)?,
        ffn: size(Part::Ffn, sizes.ffn, whole.ffn)?,
        heads,
        groups: heads / group,
        ..whole
    };
    if shape == whole {
        return Err(Illegal::nothing_goes());
    }
    if config.family().hidden_of_whole_heads && !shape.hidden.is_multiple_of(shape.heads) {
        let Widths { heads, hidden, .. } = shape;
        return Err(Illegal::other(format!(
            "{heads} heads do not divide the hidden size {hidden}, and stock transformers refuses \
             such a model"
        )));
    }
    Smaller::of(config, &shape.apply(config))
}

/// For every hidden size and number of groups, the numbers of neurons around the requested rate.
fn candidates(config: &ModelConfig, asked: f64, options: &WidthOptions) -> Vec<Smaller> {
    let whole = Widths::of(config);
    let before = count(config);
    let group = whole.heads / whole.groups;
    let may = |part| options.parts.contains(&part);
    let wanted = before.total as f64 * (1.0 - asked);
    let mut found = Vec::new();
    // Heads that may not change stay whole.
    let first = if may(Part::Heads) { 1 } else { whole.groups };
    for groups in first..=whole.groups {
        let heads = groups * group;
        for hidden in hidden_sizes(config, heads, options) {
            let at = |ffn| Widths { hidden, ffn, heads, groups, ..whole };
            let mut add = |ffn| {
                let shape = at(ffn);
                if shape != whole {
                    found.push(choice(config, &before, shape));
                }
            };
            if !may(Part::Ffn) {
                add(whole.ffn);
                continue;
            }
            // The total is linear in the number of neurons, so the wanted number follows from a
            // division. One neuron has 3 x hidden parameters per block: a row of gate and up, a
            // column of down.
            let multiple = options.ffn_multiple.unwrap_or_else(|| usual_multiple(whole.ffn));
            let one = 3.0 * hidden as f64 * config.num_hidden_layers() as f64;
            let without = count(&at(whole.ffn).apply(config)).total as f64 - one * whole.ffn as f64;
            let steps = ((wanted - without) / one / multiple as f64).floor().max(0.0) as usize;
            let largest = whole.ffn / multiple;
            let below = steps.min(largest);
            // The wanted number lies between these two multiples.
            for step in [below, (below + 1).min(largest)] {
                if step > 0 {
                    add(step * multiple);
                }
            }
            // The whole width is legal even if it is not a multiple.
            add(whole.ffn);
        }
    }
    // A multiple may equal the whole width; equal shapes follow each other.
    found.dedup();
    found
}

/// Every legal hidden size for so many heads, ascending.
fn hidden_sizes(config: &ModelConfig, heads: usize, options: &WidthOptions) -> Vec<usize> {
    let whole = config.hidden_size();
    let divisor = if config.family().hidden_of_whole_heads { heads } else { 1 };
    let mut sizes = Vec::new();
    if options.parts.contains(&Part::Hidden) {
        let multiple = options.hidden_multiple.unwrap_or_else(|| usual_multiple(whole));
        // The least common multiple of both.
        let step = multiple / common_divisor(multiple, divisor) * divisor;
        sizes.extend((1..).map(|times| times * step).take_while(|&size| size < whole));
    }
    // With fewer heads, even the whole hidden size may be illegal.
    if whole.is_multiple_of(divisor) {
        sizes.push(whole);
    }
    sizes
}

fn choice(config: &ModelConfig, before: &Count, shape: Widths) -> Smaller {
    let narrower = shape.apply(config);
    let after = count(&narrower);
    Smaller::between(&narrower, shape, before, &after)
        .expect("a narrower model is smaller and not empty")
}

fn count(config: &ModelConfig) -> Count {
    Count::of(config)
}

/// How uneven the shares are that the parts keep: ln(largest share / smallest share).
fn unevenness(shape: &Widths, whole: &Widths, options: &WidthOptions) -> f64 {
    let shares =
        options.parts.iter().map(|&part| shape.size(part) as f64 / whole.size(part) as f64);
    let (least, most) =
        // Shares are above 0 and at most 1, so the fold can start at 1 and 0.
        shares.fold((1.0_f64, 0.0_f64), |(least, most), share| (least.min(share), most.max(share)));
    (most / least).ln()
}

/// The largest power of two that divides the width, is at most 64, and leaves at least sixteen
/// widths.
fn usual_multiple(width: usize) -> usize {
    let mut multiple = LARGEST;
    while multiple > 1 && (width / multiple < WIDTHS || !width.is_multiple_of(multiple)) {
        multiple /= 2;
    }
    multiple
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
