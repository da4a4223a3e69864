//! Plans of public sizes from their configurations alone: what they come to follows from closed
//! formulas.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::Path;

use prune::{METHODS, MethodOptions, PruningPlan, PruningTarget, Sizes, Takes, TextSize, method};
use serde_json::json;
use shape::catalog;
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;

const TEXT: TextSize = TextSize { sequences: 128, length: 2048, spilled: false };

/// Parameters by a formula of our own: nothing of the program's counting is used.
fn formula(config: &ModelConfig, layers: usize, hidden: usize, ffn: usize, groups: usize) -> u64 {
    let per_group = config.num_attention_heads() / config.num_key_value_heads();
    let (query, key) = (groups * per_group * config.head_dim(), groups * config.head_dim());
    let bias = if config.qkv_bias() { query + 2 * key } else { 0 };
    let block = 2 * hidden * (query + key) + bias + 3 * hidden * ffn + 2 * hidden;
    let tables = if config.tie_word_embeddings() { 1 } else { 2 };
    (layers * block + hidden + tables * config.vocab_size() * hidden) as u64
}

#[test]
fn depth_and_width_plans_of_every_public_size_hold_by_the_formula() {
    for entry in catalog::entries() {
        check(entry.name(), &entry.config(), entry.parameters());
    }
}

/// The table holds sizes that the catalogue does not.
#[test]
fn depth_and_width_plans_of_every_row_of_the_table_of_public_models_hold_by_the_formula() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/model_counts/llama_qwen_configs_checked.csv");
    let Ok(table) = std::fs::read_to_string(&path) else {
        eprintln!(
            "skipped: depth_and_width_plans_of_every_row_of_the_table_of_public_models_hold_by_the_formula: \
             `../shared/data/model_counts` is missing"
        );
        return;
    };
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 14);
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let number = |column: usize| cells[column].parse::<u64>().unwrap();
        let family = if number(9) == 1 { "Qwen2ForCausalLM" } else { "LlamaForCausalLM" };
        let raw = json!({
            "architectures": [family], "hidden_size": number(1), "intermediate_size": number(2),
            "num_hidden_layers": number(3), "num_attention_heads": number(4), "num_key_value_heads": number(5),
            "head_dim": number(6), "vocab_size": number(7), "tie_word_embeddings": number(8) == 1,
            "max_position_embeddings": 4096,
        });
        let raw =
            RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap();
        check(cells[0], &ModelConfig::from_raw(&raw).unwrap(), number(11));
    }
}

/// Every method's plan of a model of so many parameters.
fn check(model: &str, config: &ModelConfig, parameters: u64) {
    let whole = formula(
        config,
        config.num_hidden_layers(),
        config.hidden_size(),
        config.intermediate_size(),
        config.num_key_value_heads(),
    );
    assert_eq!(whole, parameters, "{model}");
    for rate in [0.15, 0.25, 0.35, 0.5] {
        for &select in METHODS.iter().filter(|method| method.takes().contains(&Takes::Rate)) {
            let target = PruningTarget::Rate { rate, tolerance: 0.05 };
            let plan =
                PruningPlan::new(config, select, &target, &MethodOptions::default(), TEXT, 2)
                    .unwrap();
            for choice in plan.outcomes() {
                let shape = choice.shape;
                let left = formula(config, choice.layers, shape.hidden, shape.ffn, shape.groups);
                let name = format!("{model} {} {rate}: {shape}", select.name());
                assert_eq!(choice.held.parameters().0, left, "{name}");
                assert_eq!(
                    choice.held.rate().get(),
                    (whole - left) as f64 / whole as f64,
                    "{name}"
                );
                let outside =
                    if config.tie_word_embeddings() { 1 } else { 2 } * config.vocab_size();
                let (inner, inner_left) = (
                    whole - (outside * config.hidden_size()) as u64,
                    left - (outside * shape.hidden) as u64,
                );
                let expected = (inner - inner_left) as f64 / inner as f64;
                assert_eq!(choice.held.rate_without_embedding().get(), expected, "{name}");
                assert_eq!(
                    shape.heads,
                    shape.groups * config.num_attention_heads() / config.num_key_value_heads()
                );
                assert_eq!(shape.head_dim, config.head_dim());
                let divides = shape.hidden.is_multiple_of(shape.heads);
                assert!(divides || !config.family().hidden_of_whole_heads, "{name}");
            }
            assert_eq!(plan.output(), plan.outcome().held.parameters().0 * 2);
            assert!(
                plan.memory().peak() <= plan.memory().bound(config),
                "{model} {}",
                select.name()
            );
            let near = (plan.outcome().held.rate().get() - rate).abs();
            assert!(near < 0.05, "{model} {} {rate}: off by {near}", select.name());
            if select.takes().contains(&Takes::Sizes) {
                assert!(near < 0.0101, "{model} {} {rate}: off by {near}", select.name());
            }
        }
    }
    // Two of four in the linear layers of every block: half of what is left without norms and
    // biases.
    let linear = config.num_hidden_layers()
        * (2 * config.hidden_size() * (config.query_width() + config.key_value_width())
            + 3 * config.hidden_size() * config.intermediate_size());
    for &sparse in METHODS.iter().filter(|method| method.takes() == [Takes::Pattern]) {
        let plan = PruningPlan::new(
            config,
            sparse,
            &PruningTarget::Pattern,
            &MethodOptions::default(),
            TEXT,
            2,
        )
        .unwrap();
        assert_eq!(
            plan.outcome().held.parameters().0,
            whole - linear as u64 / 2,
            "{model} {}",
            sparse.name()
        );
        assert_eq!(plan.output(), whole * 2);
    }
}

#[test]
fn known_shapes_of_llama_8b() {
    // By hand: 2 x 128256 x 3072 + 32 x (2 x 3072 x (3072 + 768) + 3 x 3072 x 10752 + 6144) + 3072.
    let config = catalog::find("llama-3.1-8b").unwrap().config();
    let sizes = Sizes { hidden: Some(3072), ffn: Some(10_752), heads: Some(24) };
    let select = method("width-activation").unwrap();
    let plan = PruningPlan::new(
        &config,
        select,
        &PruningTarget::Sizes(sizes),
        &MethodOptions::default(),
        TEXT,
        2,
    )
    .unwrap();
    assert_eq!(plan.outcome().held.parameters().0, 4_714_073_088);
    assert_eq!(plan.outcome().shape.groups, 6);
}

#[test]
fn a_plan_counts_activations_where_they_are_kept() {
    let config = catalog::find("llama-3.1-70b").unwrap().config();
    let select = method("width-activation").unwrap();
    let target = PruningTarget::Rate { rate: 0.25, tolerance: 0.05 };
    let of = |text| {
        PruningPlan::new(&config, select, &target, &MethodOptions::default(), text, 2).unwrap()
    };
    let (held, spilled) = (of(TEXT), of(TextSize { spilled: true, ..TEXT }));
    let stream = 128 * 2048 * 8192 * 4;
    assert_eq!((held.memory().activations(), held.spilled()), (stream, 0));
    assert_eq!((spilled.memory().activations(), spilled.spilled()), (0, stream));
    assert_eq!(held.memory().peak() - spilled.memory().peak(), stream);
    let block = Count::of(&config).per_block() * 4;
    assert_eq!(held.memory().block(), block);
}
