//! What a sparse method will do and what it costs, from the configuration alone.

use ledger::{Held, Params, Pattern};
use model::decoder::Inlet;
use shape::config::ModelConfig;
use shape::count::Count;
use shape::tensors::{Role, TensorSpec, block_tensors};

use super::mask::ZeroRule;
use super::method::SparseMethod;
use super::stats::Statistics;
use crate::cost::{MeasuringCost, TextSize};
use crate::error::{Error, Result};
use crate::target::PruningTarget;
use shape::legal::{Smaller, Widths};

/// Which weights will become zero, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct SparsePlan {
    zeros: ZeroRule,
    linear: Vec<Role>,
    prunable: Params,
    outcome: Smaller,
    zeroed: Params,
}

impl SparsePlan {
    /// Plans the zeros of a sparse method in these linear layers. The realised rate follows from
    /// the shapes, whatever the weights are.
    ///
    /// # Errors
    /// If the method does not take this target, no linear layer is named, or a width is no multiple
    /// of the group. Also if these linear layers have too few weights for so many zeros.
    ///
    /// # Panics
    /// If the parameters of a configuration made by hand cannot be counted.
    pub fn new(
        config: &ModelConfig,
        method: SparseMethod,
        target: &PruningTarget,
        linear: &[Role],
    ) -> Result<Self> {
        if !method.takes().contains(&target.kind()) {
            return Err(target.refused_by(&method.name(), method.takes()));
        }
        // Sorted as they lie in memory: the order in which they are named does not matter.
        let linear: Vec<Role> =
            Role::LINEAR.into_iter().filter(|role| linear.contains(role)).collect();
        if linear.is_empty() {
            return Err(Error::other(
                "the list of linear layers to prune is empty, expected at least one",
            ));
        }
        // All blocks have the same shapes, so block 0 stands for each of them.
        let tensors: Vec<TensorSpec> = block_tensors(config, 0)
            .into_iter()
            .filter(|tensor| linear.contains(&tensor.role))
            .collect();
        check_groups(method.pattern(), &tensors)?;
        let whole = Count::of(config);
        let blocks = config.num_hidden_layers() as u64;
        let prunable = blocks * tensors.iter().map(|tensor| tensor.len() as u64).sum::<u64>();
        let zeros = ZeroRule::new(method.pattern(), share(target, prunable, whole.total())?);
        let zeroed = |tensor: &TensorSpec| {
            let (len, zeros) = zeros.group(tensor.columns());
            (tensor.rows() * (tensor.columns() / len) * zeros) as u64
        };
        let zeroed = blocks * tensors.iter().map(zeroed).sum::<u64>();
        let (total, inner) = whole.both();
        let left = |all: Params| Params(all.0 - zeroed);
        let held = Held::of((total, inner), (left(total), left(inner)))
            .expect("every row keeps a weight, so less than all goes");
        let outcome =
            Smaller { layers: config.num_hidden_layers(), shape: Widths::of(config), held };
        Ok(Self { zeros, linear, prunable: Params(prunable), outcome, zeroed: Params(zeroed) })
    }

    /// How many weights become zero, and among which group.
    pub fn zeros(&self) -> ZeroRule {
        self.zeros
    }

    /// The linear layers of every block, in memory order.
    pub fn linear(&self) -> &[Role] {
        &self.linear
    }

    /// The number of weights that may become zero.
    pub fn prunable(&self) -> Params {
        self.prunable
    }

    /// The number of weights that will be zero.
    pub fn zeroed(&self) -> Params {
        self.zeroed
    }

    /// The pruned model. Zeros do not count as parameters.
    pub fn outcome(&self) -> Smaller {
        self.outcome
    }

    /// Whether this tensor is pruned.
    pub fn has(&self, tensor: &TensorSpec) -> bool {
        self.linear.contains(&tensor.role)
    }

    /// What pruning costs: one block, the statistics of its inputs, and two passes of the text.
    ///
    /// # Errors
    /// If the parameters of the configuration cannot be counted.
    pub fn cost(
        &self,
        config: &ModelConfig,
        needs: Statistics,
        text: TextSize,
    ) -> Result<MeasuringCost> {
        if needs == Statistics::Nothing {
            return MeasuringCost::reading_weights(config);
        }
        let wide = |number: usize| number as u64;
        let mut cost = MeasuringCost::walk(config, text)?;
        // Two passes: one measures a block, one sends the text through the pruned block.
        cost.flops *= 2.0;
        let tensors = block_tensors(config, 0);
        for inlet in Inlet::ALL {
            let readers = tensors
                .iter()
                .filter(|tensor| self.has(tensor) && inlet.roles().contains(&tensor.role));
            let (rows, side) =
                readers.fold((0, 0), |(rows, _), tensor| (rows + tensor.rows(), tensor.columns()));
            // Sums of squares in f64.
            cost.statistics += wide(side) * 8;
            if needs == Statistics::Gram {
                // The Gram matrix in f32, and two panels of 128 columns to factor it and to hold
                // corrections.
                cost.statistics += wide(side) * wide(side) * 4 + wide(rows.max(side)) * 128 * 8;
                let (tokens, rows, side) = (text.tokens() as f64, rows as f64, side as f64);
                // In this order: one half of the Gram matrix, its factor and the inverse of that
                // (2/3 n^3), and the corrections of the columns to the right.
                let once = tokens * side * side + 2.0 / 3.0 * side.powi(3) + rows * side * side;
                cost.flops += config.num_hidden_layers() as f64 * once;
            }
        }
        Ok(cost)
    }
}

/// Refuses a width that is no multiple of the pattern's group.
fn check_groups(pattern: Pattern, tensors: &[TensorSpec]) -> Result<()> {
    let Pattern::Groups { of, .. } = pattern else { return Ok(()) };
    match tensors.iter().find(|tensor| !tensor.columns().is_multiple_of(usize::from(of))) {
        None => Ok(()),
        Some(odd) => Err(Error::other(format!(
            "`{}` has {} input columns, expected a multiple of {of} for {pattern}",
            odd.name,
            odd.columns()
        ))),
    }
}

/// The share of the prunable weights that makes a rate of all parameters. 0 if the pattern alone
/// says how many go.
fn share(target: &PruningTarget, prunable: u64, total: u64) -> Result<f64> {
    let Some(rate) = target.rate() else { return Ok(0.0) };
    let most = prunable as f64 / total as f64;
    if !(rate > 0.0 && rate < 1.0) {
        return Err(Error::other(format!("rate is {rate}, expected above 0 and below 1")));
    }
    if rate >= most {
        return Err(Error::other(format!(
            "rate {rate} takes more zeros than the chosen layers have weights, expected below \
             {most:.4}, all of them"
        )));
    }
    Ok(rate / most)
}

#[cfg(test)]
mod tests {
    use shape::catalog;

    use super::*;
    use crate::sparse::magnitude::Magnitude;

    fn plan(
        config: &ModelConfig,
        pattern: &str,
        target: &PruningTarget,
        linear: &[Role],
    ) -> SparsePlan {
        let method = SparseMethod::new(pattern.parse().unwrap(), &Magnitude);
        SparsePlan::new(config, method, target, linear).unwrap()
    }

    fn realised(name: &str) -> f64 {
        let config = catalog::find(name).unwrap().config();
        plan(&config, "2:4", &PruningTarget::Pattern, &Role::LINEAR).outcome.held.rate().get()
    }

    #[test]
    fn two_of_four_realises_the_rates_of_the_public_sizes() {
        for (name, rate) in [
            ("llama-3.2-1b", 0.394),
            ("llama-3.2-3b", 0.439),
            ("llama-3.1-8b", 0.435),
            ("qwen2.5-0.5b", 0.362),
            ("qwen2.5-1.5b", 0.424),
            ("qwen2.5-3b", 0.450),
            ("qwen2.5-7b", 0.428),
        ] {
            assert!(
                (realised(name) - rate).abs() < 5e-4,
                "{name}: {}, expected {rate}",
                realised(name)
            );
        }
    }

    #[test]
    fn chosen_layers_and_other_patterns_realise_their_own_rates() {
        let config = catalog::find("llama-3.2-1b").unwrap().config();
        let rate = |pattern: &str, target: PruningTarget, linear: &[Role]| {
            plan(&config, pattern, &target, linear)
        };
        let down = rate("2:4", PruningTarget::Pattern, &[Role::Down]);
        assert_eq!(down.prunable.0, 16 * 2048 * 8192);
        assert_eq!(down.zeroed.0, 16 * 2048 * 8192 / 2);
        let all = rate("2:4", PruningTarget::Pattern, &Role::LINEAR);
        let quarter = rate("1:4", PruningTarget::Pattern, &Role::LINEAR);
        assert_eq!(quarter.zeroed.0 * 2, all.zeroed.0 * 3);
        assert_eq!(rate("4:8", PruningTarget::Pattern, &Role::LINEAR).zeroed, all.zeroed);
        let asked = PruningTarget::Rate { rate: 0.3, tolerance: 0.0 };
        let free = rate("unstructured", asked, &Role::LINEAR);
        assert!(
            (free.outcome.held.rate().get() - 0.3).abs() < 1e-3,
            "{}",
            free.outcome.held.rate()
        );
    }
}
