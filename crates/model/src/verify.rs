//! Reads every weight of a folder once. Finds numbers that are not finite and the pattern of zeros,
//! and compares both with what the folder states.

use ledger::{Pattern, Sha256Hasher};
use shape::tensors::{TensorSpec, tensors};

use crate::error::Result;
use crate::folder::{ModelFolder, hash_head};
use crate::safetensors::TensorView;
use crate::sparsity::Sparsity;

/// Patterns that are tried if none is listed, narrower ones first.
const PATTERNS: [Pattern; 4] = [
    Pattern::Groups { keep: 1, of: 4 },
    Pattern::Groups { keep: 1, of: 2 },
    Pattern::TWO_FOUR,
    Pattern::Groups { keep: 4, of: 8 },
];

/// From this share of zeros on, a matrix without such a pattern is called sparse.
const SPARSE: f64 = 0.05;

/// The findings about the weights of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub(crate) hash: String,
    pub(crate) tensors: Vec<TensorFacts>,
    pub(crate) problems: Vec<String>,
}

impl Verified {
    /// SHA-256 of the weights, as computed by [`ModelFolder::weights_hash`].
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Every tensor, in memory order.
    pub fn tensors(&self) -> &[TensorFacts] {
        &self.tensors
    }

    /// The problems, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// The findings about the numbers of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorFacts {
    pub(crate) spec: TensorSpec,
    pub(crate) zeros: u64,
    pub(crate) not_finite: (u64, usize),
    pub(crate) pattern: Option<Pattern>,
}

impl TensorFacts {
    /// The tensor.
    pub fn spec(&self) -> &TensorSpec {
        &self.spec
    }

    /// Number of zeros.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Number of elements that are NaN or infinite, and the index of the first.
    pub fn not_finite(&self) -> (u64, usize) {
        self.not_finite
    }

    /// The pattern of its zeros: the listed one if it holds, else one that was found.
    pub fn pattern(&self) -> Option<Pattern> {
        self.pattern
    }
}

/// Reads all weights once. `progress` receives the number of tensors done, and of all tensors.
///
/// # Errors
/// If `sparsity.json` cannot be read. Problems of the weights are not errors.
pub fn verify(folder: &ModelFolder, progress: &mut dyn FnMut(usize, usize)) -> Result<Verified> {
    let listed = Sparsity::of(folder.path())?;
    let specs = tensors(folder.config());
    let (mut hash, mut facts, mut problems) = (Sha256Hasher::new(), Vec::new(), Vec::new());
    for (done, spec) in specs.iter().enumerate() {
        progress(done, specs.len());
        let claimed = listed.tensors.get(&spec.name).copied();
        let (found, odd) = look(folder, spec, claimed, &mut hash)?;
        problems.extend(odd);
        facts.push(found);
    }
    progress(specs.len(), specs.len());
    let odd = listed.tensors.keys().filter(|name| !specs.iter().any(|spec| spec.name == **name));
    problems.extend(odd.map(|name| {
        format!(
            "`{}` is listed in `{}`, the model has no such tensor",
            crate::safetensors::shown(name),
            crate::sparsity::FILE
        )
    }));
    let hash = hash.finish().to_string();
    Ok(Verified { hash, tensors: facts, problems })
}

/// Reads one tensor, in pieces of whole rows.
fn look(
    folder: &ModelFolder,
    spec: &TensorSpec,
    claimed: Option<Pattern>,
    hash: &mut Sha256Hasher,
) -> Result<(TensorFacts, Vec<String>)> {
    let view = folder.tensor(spec)?;
    let columns = spec.columns();
    // An embedding may have rows of padding, which are not a pattern.
    let matrix = spec.shape.len() == 2 && (spec.role.linear_name().is_some() || claimed.is_some());
    let size = view.dtype.size();
    hash.update(hash_head(spec, &view).as_bytes());
    let mut values = Vec::new();
    // The listed pattern is first: it wins if several hold.
    let mut candidates: Vec<(Pattern, Option<(usize, usize)>)> = claimed
        .into_iter()
        .chain(PATTERNS.into_iter().filter(|&pattern| claimed != Some(pattern)))
        .filter(|pattern| matrix && fits(*pattern, columns))
        .map(|pattern| (pattern, None))
        .collect();
    let (mut zeros, mut bad, mut first_bad, mut seen) = (0_u64, 0_u64, 0, 0);
    folder.read_bytes(spec, 0..view.bytes.len(), columns * size, &mut |bytes| {
        hash.update(bytes);
        values.resize(bytes.len() / size, 0.0);
        if let Err(index) = (TensorView { bytes, ..view }).to_f32(&mut values) {
            if bad == 0 {
                first_bad = seen + index;
            }
            bad += values.iter().filter(|value| !value.is_finite()).count() as u64;
        }
        zeros += values.iter().filter(|&&value| value == 0.0).count() as u64;
        for (pattern, broken) in candidates.iter_mut().filter(|(_, broken)| broken.is_none()) {
            let found = pattern.check(&values, columns).err();
            // `check` counts rows from the start of this piece.
            *broken = found.map(|(row, column)| (seen / columns + row, column));
        }
        seen += values.len();
        Ok::<(), crate::Error>(())
    })?;
    let share = zeros as f64 / view.len() as f64;
    let held = candidates
        .iter()
        .find(|(pattern, broken)| broken.is_none() && *pattern != Pattern::Unstructured);
    let pattern = match (held, claimed) {
        // A matrix of zeros fits every pattern and gets the first one. `problems` reports that it
        // is all zeros.
        (Some((pattern, _)), _) if zeros > 0 => Some(*pattern),
        (_, Some(Pattern::Unstructured)) => Some(Pattern::Unstructured),
        _ => (matrix && share >= SPARSE).then_some(Pattern::Unstructured),
    };
    let facts = TensorFacts { spec: spec.clone(), zeros, not_finite: (bad, first_bad), pattern };
    let broken =
        claimed.and_then(|claimed| candidates.iter().find(|(pattern, _)| *pattern == claimed)?.1);
    let problems = problems(&facts, claimed, broken, view.len() as u64);
    Ok((facts, problems))
}

/// Whether the groups of a pattern fill a row exactly.
fn fits(pattern: Pattern, columns: usize) -> bool {
    match pattern {
        Pattern::Groups { of, .. } => columns.is_multiple_of(usize::from(of)),
        Pattern::Unstructured => true,
    }
}

/// The problems of a tensor. `broken` is the first group with more nonzero weights than its pattern
/// allows.
fn problems(
    facts: &TensorFacts,
    claimed: Option<Pattern>,
    broken: Option<(usize, usize)>,
    len: u64,
) -> Vec<String> {
    let TensorFacts { spec, zeros, not_finite: (bad, first), pattern } = facts;
    let (name, list) = (&spec.name, crate::sparsity::FILE);
    let mut problems = Vec::new();
    if *bad > 0 {
        problems.push(format!(
            "`{name}` holds {bad} numbers that are NaN or infinite, the first at element {first}"
        ));
    }
    if *zeros == len && spec.shape.len() == 2 {
        problems.push(format!("`{name}` holds nothing but zeros"));
    }
    match (claimed, broken, pattern) {
        (Some(claimed), _, _) if spec.shape.len() != 2 || !fits(claimed, spec.columns()) => {
            problems.push(format!("`{name}` is listed in `{list}` as {claimed}, which its shape {:?} cannot be", spec.shape));
        }
        (Some(claimed), Some((row, column)), _) => problems.push(format!(
            "`{name}` is listed in `{list}` as {claimed}, row {row} has more that is not zero from column {column} on"
        )),
        (Some(claimed), None, _) if *zeros == 0 => {
            problems.push(format!("`{name}` is listed in `{list}` as {claimed}, it holds no zero"));
        }
        (None, _, Some(found)) => problems.push(format!(
            "`{name}` is {found} sparse ({zeros} of {len} are zero) and not listed in `{list}`: training would fill its zeros"
        )),
        _ => {}
    }
    problems
}
