//! Legal rates of depth pruning: those that whole blocks allow.

use crate::config::ModelConfig;
use crate::count::Count;
use ledger::{Held, Params};

use super::illegal::Illegal;

/// Default limit on the distance between the realised rate and the requested one: 0.05 of all
/// parameters.
pub const TOLERANCE: f64 = 0.05;

/// A rate that dropping a whole number of blocks gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegalRate {
    pub(crate) dropped: usize,
    pub(crate) held: Held,
}

impl LegalRate {
    /// Number of dropped blocks.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// What stays.
    pub fn held(&self) -> Held {
        self.held
    }
}

/// Every rate that depth pruning can give a model, ascending: from one block dropped to one block
/// kept. Empty for a model of one block.
///
/// # Panics
/// If the configuration was made by hand and its parameters cannot be counted.
pub fn legal_rates(config: &ModelConfig) -> Vec<LegalRate> {
    (1..config.num_hidden_layers()).map(|dropped| without(config, dropped)).collect()
}

/// The legal rate nearest to `asked`; of two equally near, the lower.
///
/// # Errors
/// If `asked` is not above 0 and below 1, or `tolerance` is negative or NaN.
/// [`Illegal::NoRateNear`] if the nearest rate is farther away than `tolerance`.
///
/// # Panics
/// As [`legal_rates`].
pub fn nearest(config: &ModelConfig, asked: f64, tolerance: f64) -> Result<LegalRate, Illegal> {
    check_rate(asked, tolerance)?;
    let legal = legal_rates(config);
    // Rates are ascending, so the two neighbours of `asked` meet here.
    let above = legal.partition_point(|legal| legal.held.rate().get() <= asked);
    let (below, above) =
        (above.checked_sub(1).map(|below| legal[below]), legal.get(above).copied());
    let distance = |legal: &LegalRate| (legal.held.rate().get() - asked).abs();
    let nearest = match (below, above) {
        (Some(below), Some(above)) if distance(&above) < distance(&below) => Some(above),
        (below, above) => below.or(above),
    };
    // The small slack allows for rounding: 0.3 - 0.25 is not exactly 0.05 in binary.
    match nearest {
        Some(nearest) if distance(&nearest) <= tolerance + 1e-12 => Ok(nearest),
        _ => {
            let nearest = nearest_of(below, above);
            Err(Illegal::NoRateNear {
                message: format!(
                    "no whole number of layers comes within {tolerance} of rate {asked}: {nearest}"
                ),
            })
        }
    }
}

/// Refuses a rate outside (0, 1), and a negative or NaN tolerance.
pub(super) fn check_rate(asked: f64, tolerance: f64) -> Result<(), Illegal> {
    if !(asked > 0.0 && asked < 1.0) {
        return Err(Illegal::other(format!("rate is {asked}, expected above 0 and below 1")));
    }
    if tolerance.is_nan() || tolerance < 0.0 {
        return Err(Illegal::other(format!(
            "tolerance of the rate is {tolerance}, expected a number of at least 0"
        )));
    }
    Ok(())
}

/// The nearest legal rates in words.
fn nearest_of(below: Option<LegalRate>, above: Option<LegalRate>) -> String {
    let words = |rate: &LegalRate| {
        let layers = if rate.dropped == 1 { "layer" } else { "layers" };
        format!("{} ({} {layers})", rate.held.rate(), rate.dropped)
    };
    match (below, above) {
        (Some(below), Some(above)) => {
            format!("the nearest are {} below and {} above", words(&below), words(&above))
        }
        (Some(below), None) => format!("the nearest is {} below", words(&below)),
        (None, Some(above)) => format!("the nearest is {} above", words(&above)),
        (None, None) => "the model has a single layer".to_owned(),
    }
}

/// What is left of a model without `dropped` of its blocks. All blocks have the same number of
/// parameters.
fn without(config: &ModelConfig, dropped: usize) -> LegalRate {
    let before = Count::of(config);
    let gone = before.per_block * dropped as u64;
    let (total, inner) = before.both();
    let left = |all: Params| Params(all.0 - gone);
    let held = Held::of((total, inner), (left(total), left(inner)))
        .expect("the final norm stays, so less than all goes");
    LegalRate { dropped, held }
}

#[cfg(test)]
mod tests {
    use crate::catalog;
    use crate::config::RawConfig;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn config(layers: usize, hidden: usize, inner: usize, tied: bool, qwen: bool) -> ModelConfig {
        let (architecture, kind) =
            if qwen { ("Qwen2ForCausalLM", "qwen2") } else { ("LlamaForCausalLM", "llama") };
        let raw = json!({
            "architectures": [architecture], "model_type": kind, "hidden_size": hidden * 4,
            "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": 2,
            "num_key_value_heads": 1, "vocab_size": 50, "max_position_embeddings": 64,
            "tie_word_embeddings": tied, "hidden_act": "silu",
        });
        let raw = RawConfig::from_json(raw.to_string().as_bytes(), "config.json".as_ref()).unwrap();
        ModelConfig::from_raw(&raw).unwrap()
    }

    #[test]
    fn bad_rates_are_refused_and_the_nearest_named() {
        // One block has 9280 parameters of 5 x 9280 + 32 + 50 x 32 = 48032.
        let config = config(5, 8, 64, true, false);
        let cases: [(&str, f64, f64, &str); 12] = [
            (
                "rate of 0, 1, NaN or above",
                0.0,
                TOLERANCE,
                "rate is 0, expected above 0 and below 1",
            ),
            (
                "rate of 0, 1, NaN or above",
                -0.0,
                TOLERANCE,
                "rate is -0, expected above 0 and below 1",
            ),
            (
                "rate of 0, 1, NaN or above",
                1.0,
                TOLERANCE,
                "rate is 1, expected above 0 and below 1",
            ),
            (
                "rate of 0, 1, NaN or above",
                f64::NAN,
                TOLERANCE,
                "rate is NaN, expected above 0 and below 1",
            ),
            (
                "rate of 0, 1, NaN or above",
                1.5,
                TOLERANCE,
                "rate is 1.5, expected above 0 and below 1",
            ),
            (
                "rate of 0, 1, NaN or above",
                f64::INFINITY,
                TOLERANCE,
                "rate is inf, expected above 0 and below 1",
            ),
            ("a negative rate", -0.2, TOLERANCE, "rate is -0.2, expected above 0 and below 1"),
            (
                "a rate that no whole layer comes near (with the nearest)",
                0.28,
                TOLERANCE,
                "no whole number of layers comes within 0.05 of rate 0.28: the nearest are 0.1932 (1 layer) below \
                 and 0.3864 (2 layers) above",
            ),
            (
                "a rate that no whole layer comes near (with the nearest)",
                0.01,
                TOLERANCE,
                "no whole number of layers comes within 0.05 of rate 0.01: the nearest is 0.1932 (1 layer) above",
            ),
            (
                "a rate that no whole layer comes near (with the nearest)",
                0.95,
                TOLERANCE,
                "no whole number of layers comes within 0.05 of rate 0.95: the nearest is 0.7728 (4 layers) below",
            ),
            (
                "a tolerance below 0",
                0.2,
                -0.1,
                "tolerance of the rate is -0.1, expected a number of at least 0",
            ),
            (
                "a tolerance of NaN",
                0.2,
                f64::NAN,
                "tolerance of the rate is NaN, expected a number of at least 0",
            ),
        ];
        for (name, rate, tolerance, expected) in cases {
            assert_eq!(
                nearest(&config, rate, tolerance).unwrap_err().to_string(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_model_of_one_layer_has_no_legal_rate() {
        let config = config(1, 2, 8, false, false);
        assert!(legal_rates(&config).is_empty());
        let said = nearest(&config, 0.5, 1.0).unwrap_err().to_string();
        assert_eq!(
            said,
            "no whole number of layers comes within 1 of rate 0.5: the model has a single layer"
        );
    }

    #[test]
    fn published_models_have_the_rates_that_are_known_of_them() {
        // Dropped blocks and realised rates, to three digits, from the project's science notes.
        let known = [
            ("Llama-3.2-1B", [(3, 0.148), (5, 0.246), (7, 0.345)]),
            ("Llama-3.1-8B", [(6, 0.163), (9, 0.244), (13, 0.353)]),
            ("Qwen2.5-0.5B", [(5, 0.151), (8, 0.241), (12, 0.362)]),
        ];
        for (name, rates) in known {
            let config = catalog::find(name).unwrap().config();
            let legal = legal_rates(&config);
            for (dropped, rate) in rates {
                assert_eq!(legal[dropped - 1].dropped, dropped);
                let found = legal[dropped - 1].held.rate().get();
                assert!((found - rate).abs() <= 0.0005, "{name}: {dropped} layers are {found}");
                assert_eq!(nearest(&config, rate, TOLERANCE).unwrap(), legal[dropped - 1]);
            }
        }
    }

    proptest! {
        #[test]
        fn a_legal_rate_is_what_the_smaller_configuration_counts(
            layers in 2_usize..40, hidden in 1_usize..9, inner in 1_usize..50, tied: bool, qwen: bool,
        ) {
            let config = config(layers, hidden, inner, tied, qwen);
            let before = Count::of(&config);
            for legal in legal_rates(&config) {
                let smaller = ModelConfig { num_hidden_layers: layers - legal.dropped, ..config.clone() };
                let after = Count::of(&smaller);
                prop_assert_eq!(legal.held.parameters().0, after.total);
                prop_assert_eq!(legal.held.parameters_without_embedding().0, after.without_embedding);
                let rate = (before.total - after.total) as f64 / before.total as f64;
                prop_assert_eq!(legal.held.rate().get(), rate);
            }
        }

        #[test]
        fn no_legal_rate_is_nearer_than_the_chosen_one(layers in 2_usize..30, asked in 0.001..0.999_f64) {
            let config = config(layers, 3, 20, true, false);
            let chosen = nearest(&config, asked, 1.0).unwrap();
            for legal in legal_rates(&config) {
                let distance = |legal: LegalRate| (legal.held.rate().get() - asked).abs();
                prop_assert!(distance(chosen) <= distance(legal));
            }
        }
    }
}
