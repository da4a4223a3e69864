//! What a sparse method will do, from the configuration alone.

use ledger::{Params, Pattern, Rate};
use shape::config::ModelConfig;
use shape::count::Count;
use shape::tensors::{Role, TensorSpec, block_tensors};

use super::Zeros;
use crate::error::{Error, Result};
use crate::methods::{Method, Target};

/// Which weights will become zero, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct SparsePlan {
    /// How many of which group.
    pub zeros: Zeros,
    /// The linear layers of every block, in memory order.
    pub linear: Vec<Role>,
    /// Weights that the zeros are spread over.
    pub prunable: Params,
    /// Weights that will be zero.
    pub zeroed: Params,
    /// The share that will be zero of all parameters.
    pub rate: Rate,
    /// The share that will be zero of all parameters but the embedding and the head.
    pub rate_without_embedding: Rate,
}

impl SparsePlan {
    /// Whether the zeros are spread over this tensor.
    pub fn has(&self, tensor: &TensorSpec) -> bool {
        self.linear.contains(&tensor.role)
    }
}

/// Plans the zeros of a sparse method: the realised rate follows from the shapes, whatever the
/// weights are.
///
/// # Errors
/// Where the method got another target than it takes, no linear layer or one that is none is named,
/// a width is no multiple of the pattern's group, or so many zeros do not fit in these layers.
///
/// # Panics
/// For a configuration made by hand whose parameters cannot be counted.
pub fn plan(
    config: &ModelConfig,
    method: &Method,
    target: &Target,
    linear: &[Role],
) -> Result<SparsePlan> {
    let &Method::Sparse(pattern, _) = method else {
        panic!("`{}` is no sparse method", method.name())
    };
    if !method.takes().contains(&target.kind()) {
        let (found, expected) = (target.kind().words(), method.takes()[0].words().to_owned());
        return Err(Error::Target { method: method.name(), found, expected });
    }
    let linear: Vec<Role> = Role::LINEAR.into_iter().filter(|role| linear.contains(role)).collect();
    if linear.is_empty() {
        return Err(Error::NoLinear);
    }
    let tensors: Vec<TensorSpec> = block_tensors(config, 0)
        .into_iter()
        .filter(|tensor| linear.contains(&tensor.role))
        .collect();
    if let Pattern::Groups { of, .. } = pattern
        && let Some(odd) =
            tensors.iter().find(|tensor| !tensor.columns().is_multiple_of(usize::from(of)))
    {
        return Err(Error::Groups { tensor: odd.name.clone(), found: odd.columns(), of, pattern });
    }
    let all = Count::of(config);
    let blocks = config.num_hidden_layers() as u64;
    let prunable = blocks * tensors.iter().map(|tensor| tensor.len() as u64).sum::<u64>();
    let share = match *target {
        Target::Rate { rate, .. } => {
            let most = prunable as f64 / all.total as f64;
            if !(rate > 0.0 && rate < 1.0) {
                return Err(Error::Rate { found: rate });
            }
            if rate >= most {
                return Err(Error::TooManyZeros { found: rate, most });
            }
            rate / most
        }
        _ => 0.0,
    };
    let zeros = Zeros::new(pattern, share);
    let zeroed = |tensor: &TensorSpec| {
        let (len, zeros) = zeros.group(tensor.columns());
        (tensor.rows() * (tensor.columns() / len) * zeros) as u64
    };
    let zeroed = blocks * tensors.iter().map(zeroed).sum::<u64>();
    let rate = |all: u64| {
        Rate::realised(Params(all), Params(all - zeroed))
            .expect("every row keeps a weight, so less than all goes")
    };
    Ok(SparsePlan {
        zeros,
        linear,
        prunable: Params(prunable),
        zeroed: Params(zeroed),
        rate: rate(all.total),
        rate_without_embedding: rate(all.without_embedding),
    })
}

#[cfg(test)]
mod tests {
    use shape::catalog;

    use super::*;
    use crate::methods::method;

    fn realised(name: &str) -> f64 {
        let config = catalog::find(name).unwrap().config();
        plan(&config, &method("2:4-magnitude").unwrap(), &Target::Pattern, &Role::LINEAR)
            .unwrap()
            .rate
            .get()
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
        let rate = |name: &str, target: Target, linear: &[Role]| {
            plan(&config, &method(name).unwrap(), &target, linear).unwrap()
        };
        let down = rate("2:4-magnitude", Target::Pattern, &[Role::Down]);
        assert_eq!(down.prunable.0, 16 * 2048 * 8192);
        assert_eq!(down.zeroed.0, 16 * 2048 * 8192 / 2);
        let all = rate("2:4-magnitude", Target::Pattern, &Role::LINEAR);
        let quarter = rate("1:4-magnitude", Target::Pattern, &Role::LINEAR);
        assert_eq!(quarter.zeroed.0 * 2, all.zeroed.0 * 3);
        assert_eq!(rate("4:8-magnitude", Target::Pattern, &Role::LINEAR).zeroed, all.zeroed);
        let asked = Target::Rate { rate: 0.3, tolerance: 0.0 };
        let free = rate("unstructured-magnitude", asked, &Role::LINEAR);
        assert!((free.rate.get() - 0.3).abs() < 1e-3, "{}", free.rate);
    }
}
