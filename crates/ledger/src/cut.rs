//! A cut: a pruning decision as data.

use serde::{Deserialize, Serialize};

use crate::cut_error::{CutError, check_depth};
use crate::pattern::Pattern;
use crate::width::Width;

/// What is removed from a model. A cut that was read from a file is valid. For a cut made by hand,
/// call [`Cut::validate`].
///
/// ```
/// use ledger::Cut;
/// let cut = Cut::Depth { layers: 5, drop: vec![1, 3] };
/// cut.validate()?;
/// assert_eq!(cut.kept(), [0, 2, 4]);
/// let wrong = Cut::Depth { layers: 5, drop: vec![5] };
/// assert_eq!(wrong.validate().unwrap_err().to_string(), "layer 5 cannot be dropped from a model of 5 layers");
/// # Ok::<(), ledger::CutError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "CutInFile")]
pub enum Cut {
    /// Whole layers are removed.
    Depth {
        /// Layers before the cut.
        layers: usize,
        /// Indices of the removed layers, counted from 0, ascending.
        drop: Vec<usize>,
    },
    /// Channels, neurons and groups of heads are removed, the same number in every layer.
    Width(Width),
    /// Weights become zero, and every shape stays. The zeros themselves are not listed: base, score
    /// and calibration text determine them.
    Sparse {
        /// Layers of the model.
        layers: usize,
        /// The pattern of the zeros.
        pattern: Pattern,
        /// The score that chose the weights, for example `wanda`.
        score: String,
        /// Names of the linear layers that get zeros, in every layer, for example `q_proj`.
        linear: Vec<String>,
    },
}

impl Cut {
    /// Checks that the cut can be made: indices ascend and are in range, and at least one of
    /// everything stays.
    pub fn validate(&self) -> Result<(), CutError> {
        if let Self::Width(width) = self {
            return width.validate();
        }
        let layers = self.layers();
        // First of all: `kept` loops over as many layers as the file claims.
        check_depth(layers)?;
        if let Self::Sparse { score, linear, .. } = self {
            return validate_sparse(score, linear);
        }
        let drop = self.dropped();
        let wrong = |sentence: String| Err(CutError::new(sentence));
        if let Some(layer) = drop.iter().find(|&&layer| layer >= layers) {
            return wrong(format!(
                "layer {layer} cannot be dropped from a model of {layers} layers"
            ));
        }
        // Strictly ascending, so that equal cuts are equal files.
        match drop.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(&[before, after]) if before == after => {
                return wrong(format!("layer {before} is dropped twice"));
            }
            Some(pair) => {
                let [before, after] = [pair[0], pair[1]];
                return wrong(format!(
                    "layer {after} stands after layer {before}, expected ascending order"
                ));
            }
            None => {}
        }
        if drop.len() == layers {
            return wrong(format!(
                "all {layers} layers are dropped, expected at least one to stay"
            ));
        }
        Ok(())
    }

    /// Layers before the cut.
    pub fn layers(&self) -> usize {
        match self {
            Self::Depth { layers, .. } | Self::Sparse { layers, .. } => *layers,
            Self::Width(width) => width.layers(),
        }
    }

    /// Indices of the layers that stay, ascending. The cut must be valid.
    pub fn kept(&self) -> Vec<usize> {
        // `dropped` ascends in a valid cut, as a binary search needs.
        (0..self.layers()).filter(|layer| self.dropped().binary_search(layer).is_err()).collect()
    }

    /// Indices of the removed layers, ascending.
    pub fn dropped(&self) -> &[usize] {
        match self {
            Self::Depth { drop, .. } => drop,
            // These cuts change layers but keep them all.
            Self::Width(_) | Self::Sparse { .. } => &[],
        }
    }
}

fn validate_sparse(score: &str, linear: &[String]) -> Result<(), CutError> {
    let wrong = |sentence: String| Err(CutError::new(sentence));
    // These words become parts of names, so neither paths nor white space may pass.
    let plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if let Some(word) = linear.iter().map(String::as_str).chain([score]).find(|word| !plain(word)) {
        return wrong(format!("`{}` is no name of a linear layer or a score", word.escape_debug()));
    }
    if linear.is_empty() {
        return wrong("no linear layer gets zeros, expected at least one".to_owned());
    }
    match linear.iter().enumerate().find(|(at, name)| linear[..*at].contains(name)) {
        Some((_, name)) => wrong(format!("`{name}` stands twice among the linear layers")),
        None => Ok(()),
    }
}

/// A cut as a file has it, before [`Cut::validate`].
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum CutInFile {
    Depth { layers: usize, drop: Vec<usize> },
    Width(Width),
    Sparse { layers: usize, pattern: Pattern, score: String, linear: Vec<String> },
}

impl TryFrom<CutInFile> for Cut {
    type Error = CutError;

    fn try_from(written: CutInFile) -> Result<Self, CutError> {
        let cut = match written {
            CutInFile::Depth { layers, drop } => Self::Depth { layers, drop },
            CutInFile::Width(width) => Self::Width(width),
            CutInFile::Sparse { layers, pattern, score, linear } => {
                Self::Sparse { layers, pattern, score, linear }
            }
        };
        cut.validate()?;
        Ok(cut)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn depth(layers: usize, drop: &[usize]) -> Cut {
        Cut::Depth { layers, drop: drop.to_vec() }
    }

    #[test]
    fn wrong_cuts_say_what_is_wrong() {
        let said = |layers, drop: &[usize]| depth(layers, drop).validate().unwrap_err().to_string();
        assert_eq!(said(4, &[1, 4]), "layer 4 cannot be dropped from a model of 4 layers");
        assert_eq!(said(4, &[2, 1]), "layer 1 stands after layer 2, expected ascending order");
        assert_eq!(said(4, &[1, 1]), "layer 1 is dropped twice");
        assert_eq!(said(2, &[0, 1]), "all 2 layers are dropped, expected at least one to stay");
        assert_eq!(said(0, &[]), "all 0 layers are dropped, expected at least one to stay");
        assert_eq!(said(65_537, &[]), "a model of 65537 layers is claimed, expected at most 65536");
    }

    #[test]
    fn a_cut_in_a_file_is_tagged_and_checked() {
        let text = r#"{"kind":"depth","layers":5,"drop":[1,3]}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!(cut, depth(5, &[1, 3]));
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        let text = r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":["q_proj","down_proj"]}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!((cut.layers(), cut.kept()), (5, vec![0, 1, 2, 3, 4]));
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        for wrong in [
            r#"{"kind":"depth","layers":5,"drop":[3,1]}"#,
            // Claims `usize::MAX` layers: refused before anything is allocated.
            r#"{"kind":"depth","layers":18446744073709551615,"drop":[]}"#,
            r#"{"kind":"width","layers":5,"drop":[]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"4:2","score":"wanda","linear":["q_proj"]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":[]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":["q_proj","q_proj"]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"../wanda","linear":["q_proj"]}"#,
            r#"{"kind":"depth","layers":5,"drop":[1],"keep":[]}"#,
        ] {
            assert!(serde_json::from_str::<Cut>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cut_in_width_is_written_as_runs_and_checked() {
        let text = r#"{"kind":"width","layers":2,"hidden":{"of":8,"keep":"0-3,6"},"ffn":{"of":5,"keep":["0","4"]}}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        assert_eq!((cut.layers(), cut.kept(), cut.dropped()), (2, vec![0, 1], &[][..]));
        let said = |part: &str| {
            let text = format!(r#"{{"kind":"width","layers":2{part}}}"#);
            serde_json::from_str::<Cut>(&text).unwrap_err().to_string()
        };
        for (part, expected) in [
            ("", "the cut names no part"),
            (r#","hidden":{"of":8,"keep":""}"#, "all channels of the residual stream are removed"),
            (r#","hidden":{"of":8,"keep":"0-7"}"#, "all channels of the residual stream are kept"),
            (r#","hidden":{"of":8,"keep":"0-8"}"#, "8 cannot be kept of 8 channels"),
            (r#","hidden":{"of":8,"keep":"3,1"}"#, "`1` is no run of ascending indices"),
            (
                r#","ffn":{"of":8,"keep":["0"]}"#,
                "there are 1 lists of feed-forward neurons to keep, expected 2",
            ),
            (
                r#","ffn":{"of":8,"keep":["0","1-2"]}"#,
                "layer 1 keeps 2 feed-forward neurons, expected 1",
            ),
            (r#","heads":{"of":2,"keep":["0",""]}"#, "all groups of heads of layer 1 are removed"),
            (r#","heads":{"of":2,"keep":["0","2"]}"#, "2 cannot be kept of 2 groups of heads"),
            (r#","hidden":{"of":99999999999,"keep":"0-99999999997"}"#, "more than any model has"),
            (r#","drop":[1]"#, "unknown field `drop`"),
        ] {
            assert!(said(part).contains(expected), "{part}: {}", said(part));
        }
    }

    proptest! {
        #[test]
        fn kept_and_dropped_layers_are_the_model(layers in 1_usize..60, bits in any::<u64>()) {
            let drop: Vec<usize> = (0..layers).filter(|layer| bits >> layer & 1 == 1).collect();
            let cut = depth(layers, &drop);
            prop_assert_eq!(cut.validate().is_ok(), drop.len() < layers);
            let mut all = [cut.kept(), drop].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..layers).collect::<Vec<_>>());
        }
    }
}
