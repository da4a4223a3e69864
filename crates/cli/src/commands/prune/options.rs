//! Flags for the options of single methods.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ledger::Part;
use prune::{Aggregation, MethodOptions, Positions, Sizes, WidthOptions};
use shape::tensors::Role;

/// Flags of single methods.
#[derive(Debug, Args)]
pub(super) struct MethodFlags {
    /// Width: the parts that may become narrower [default: all three]
    #[arg(long, value_name = "PART,..", value_delimiter = ',', value_parser = part())]
    width: Vec<Part>,
    /// Width: the hidden size stays a multiple of this [default: the largest power of two up to 64
    /// that leaves 16 sizes]
    #[arg(long, value_name = "N")]
    hidden_multiple: Option<usize>,
    /// Width: the number of neurons stays a multiple of this [default: likewise]
    #[arg(long, value_name = "N")]
    ffn_multiple: Option<usize>,
    /// Activations: how the tokens of a sequence are summed up
    #[arg(long, value_name = "HOW", default_value = Aggregation::MeanSquare.name(), value_parser = aggregation())]
    over_tokens: Aggregation,
    /// Activations: how sequences are summed up
    #[arg(long, value_name = "HOW", default_value = Aggregation::MeanSquare.name(), value_parser = aggregation())]
    over_sequences: Aggregation,
    /// Angular distance: taken at the last token of a sequence or at all
    #[arg(long, value_name = "WHICH", default_value = Positions::Last.name(), value_parser = positions())]
    positions: Positions,
    /// Sparse: the linear layers of every block that get zeros [default: all seven]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', value_parser = linear())]
    layers: Vec<Role>,
    /// Keep the activations of the calibration text in a file of this folder instead of in memory
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
}

impl MethodFlags {
    /// The folder for activations; `None` to keep them in memory.
    pub(super) fn spill(&self) -> Option<&Path> {
        self.spill.as_deref()
    }

    pub(super) fn options(&self) -> MethodOptions {
        let parts = if self.width.is_empty() { Part::ALL.to_vec() } else { self.width.clone() };
        MethodOptions {
            width: WidthOptions {
                parts,
                hidden_multiple: self.hidden_multiple,
                ffn_multiple: self.ffn_multiple,
            },
            over_tokens: self.over_tokens,
            over_sequences: self.over_sequences,
            positions: self.positions,
            linear: if self.layers.is_empty() {
                Role::LINEAR.to_vec()
            } else {
                self.layers.clone()
            },
        }
    }
}

/// Parses a size such as `ffn=6144`.
pub(super) fn size(text: &str) -> Result<(Part, usize), String> {
    let expected = || format!("`{text}` is no size, expected `hidden=N`, `ffn=N` or `heads=N`");
    let (name, number) = text.split_once('=').ok_or_else(expected)?;
    let part = Part::ALL.into_iter().find(|part| part.name() == name).ok_or_else(expected)?;
    Ok((part, number.parse().map_err(|_| expected())?))
}

/// Sizes by part. If a part is named twice, the last one counts.
pub(super) fn sizes(named: &[(Part, usize)]) -> Sizes {
    let of = |wanted| named.iter().rev().find(|(part, _)| *part == wanted).map(|(_, size)| *size);
    Sizes { hidden: of(Part::Hidden), ffn: of(Part::Ffn), heads: of(Part::Heads) }
}

fn part() -> impl TypedValueParser<Value = Part> {
    let of = |name: String| {
        Part::ALL.into_iter().find(|part| part.name() == name).expect("a possible value")
    };
    PossibleValuesParser::new(Part::ALL.map(Part::name)).map(of)
}

fn linear() -> impl TypedValueParser<Value = Role> {
    let of = |name: String| {
        let role = Role::LINEAR.into_iter().find(|role| role.linear_name() == Some(&name));
        role.expect("a possible value")
    };
    PossibleValuesParser::new(Role::LINEAR.map(|role| role.linear_name().unwrap_or_default()))
        .map(of)
}

fn aggregation() -> impl TypedValueParser<Value = Aggregation> {
    let of = |name: String| {
        Aggregation::ALL.into_iter().find(|how| how.name() == name).expect("a possible value")
    };
    PossibleValuesParser::new(Aggregation::ALL.map(Aggregation::name)).map(of)
}

fn positions() -> impl TypedValueParser<Value = Positions> {
    let of = |name: String| {
        Positions::ALL.into_iter().find(|which| which.name() == name).expect("a possible value")
    };
    PossibleValuesParser::new(Positions::ALL.map(Positions::name)).map(of)
}
