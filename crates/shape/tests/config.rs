//! `config.json` in: both styles of transformers, and everything that is refused.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::Path;

use serde_json::{Value, json};
use shape::Error;
use shape::config::{Llama3Scaling, ModelConfig, RawConfig};
use shape::count::Count;

const LLAMA: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "bos_token_id": 128000,
  "eos_token_id": [128001, 128008, 128009],
  "hidden_act": "silu",
  "hidden_size": 2048,
  "intermediate_size": 8192,
  "max_position_embeddings": 131072,
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": 32,
  "num_hidden_layers": 16,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "rope_scaling": {
    "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3"
  },
  "rope_theta": 500000.0,
  "tie_word_embeddings": true,
  "torch_dtype": "bfloat16",
  "vocab_size": 128256
}"#;

const QWEN2: &str = r#"{
  "architectures": ["Qwen2ForCausalLM"],
  "bos_token_id": 151643,
  "eos_token_id": 151643,
  "hidden_act": "silu",
  "hidden_size": 896,
  "intermediate_size": 4864,
  "max_position_embeddings": 32768,
  "max_window_layers": 24,
  "model_type": "qwen2",
  "num_attention_heads": 14,
  "num_hidden_layers": 24,
  "num_key_value_heads": 2,
  "rms_norm_eps": 1e-06,
  "rope_theta": 1000000.0,
  "sliding_window": 32768,
  "tie_word_embeddings": true,
  "use_mrope": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

fn read(text: &str) -> Result<ModelConfig, Error> {
    ModelConfig::from_json(text.as_bytes(), Path::new("some/config.json"))
}

/// The configuration `base` with fields changed (or, by null, taken away).
fn changed(base: &str, changes: &Value) -> Value {
    let mut config: Value = serde_json::from_str(base).unwrap();
    for (field, value) in changes.as_object().unwrap() {
        if value == &json!("(gone)") {
            config.as_object_mut().unwrap().remove(field);
        } else {
            config[field] = value.clone();
        }
    }
    config
}

#[test]
fn llama_of_transformers_4_is_read() {
    let config = read(LLAMA).unwrap();
    assert_eq!(config.family().name, "llama");
    assert_eq!(
        (config.num_hidden_layers(), config.head_dim(), config.key_value_width()),
        (16, 64, 512)
    );
    let scaling = Llama3Scaling {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    assert_eq!((config.rope_theta(), config.rope_scaling()), (500_000.0, Some(scaling)));
    assert_eq!(
        (config.bos_token_id(), config.qkv_bias(), config.tie_word_embeddings()),
        (Some(128_000), false, true)
    );
}

#[test]
fn qwen2_of_transformers_4_is_read() {
    let config = read(QWEN2).unwrap();
    assert_eq!(config.family().name, "qwen2");
    assert_eq!(
        (config.rope_theta(), config.rope_scaling(), config.rms_norm_eps()),
        (1e6, None, 1e-6)
    );
    assert!(config.qkv_bias());
    assert_eq!(config, shape::catalog::find("qwen2.5-0.5b").unwrap().config());
}

#[test]
fn the_catalog_holds_what_the_published_file_says() {
    assert_eq!(read(LLAMA).unwrap(), shape::catalog::find("llama-3.2-1b").unwrap().config());
}

#[test]
fn both_styles_of_transformers_read_the_same() {
    let mut rope = serde_json::from_str::<Value>(LLAMA).unwrap()["rope_scaling"].clone();
    rope["rope_theta"] = json!(500_000.0);
    let gone = json!("(gone)");
    let five = changed(
        LLAMA,
        &json!({"rope_theta": gone, "rope_scaling": gone, "rope_parameters": rope, "dtype": "bfloat16"}),
    );
    assert_eq!(read(&five.to_string()).unwrap(), read(LLAMA).unwrap());

    let five = changed(
        QWEN2,
        &json!({"rope_theta": gone, "layer_types": vec!["full_attention"; 24],
                "rope_parameters": {"rope_theta": 1_000_000.0, "rope_type": "default"}}),
    );
    assert_eq!(read(&five.to_string()).unwrap(), read(QWEN2).unwrap());
}

#[test]
fn silent_fields_take_the_defaults_of_the_family() {
    let gone = json!("(gone)");
    let changes = json!({"rope_theta": gone, "rope_scaling": null, "rms_norm_eps": gone, "bos_token_id": null,
        "tie_word_embeddings": gone, "num_key_value_heads": null, "architectures": gone, "hidden_act": gone});
    let config = read(&changed(LLAMA, &changes).to_string()).unwrap();
    assert_eq!(
        (config.rope_theta(), config.rope_scaling(), config.rms_norm_eps()),
        (1e4, None, 1e-6)
    );
    assert_eq!((config.bos_token_id(), config.num_key_value_heads()), (None, 32));
    assert!(!config.tie_word_embeddings());
}

#[test]
fn the_first_of_several_begin_tokens_is_taken() {
    let config = read(&changed(LLAMA, &json!({"bos_token_id": [7, 8]})).to_string()).unwrap();
    assert_eq!(config.bos_token_id(), Some(7));
    for none in [json!([]), json!(128_256)] {
        let config = read(&changed(LLAMA, &json!({"bos_token_id": none})).to_string()).unwrap();
        assert_eq!(config.bos_token_id(), None, "one past the vocabulary belongs to no weight");
    }
}

#[test]
fn an_explicit_head_dim_wins_over_the_quotient() {
    let config =
        read(&changed(LLAMA, &json!({"head_dim": 128, "hidden_size": 2049})).to_string()).unwrap();
    assert_eq!((config.head_dim(), config.query_width()), (128, 4096));
}

#[test]
fn what_cannot_be_right_or_is_not_computed_is_refused_by_name() {
    let gone = json!("(gone)");
    let llama3 = |field: &str, value: Value| {
        let mut scaling = serde_json::from_str::<Value>(LLAMA).unwrap()["rope_scaling"].clone();
        scaling[field] = value;
        json!({ "rope_scaling": scaling })
    };
    let huge = 1_u64 << 40;
    #[rustfmt::skip]
    let cases = [
        ("unknown architecture", json!({"architectures": ["MistralForCausalLM"], "model_type": "mistral"}),
            "unknown architecture `MistralForCausalLM` of type `mistral` in `some/config.json`, supported are \
             `LlamaForCausalLM` (`llama`) and `Qwen2ForCausalLM` (`qwen2`)"),
        ("architecture and type of different families", json!({"model_type": "qwen2"}),
            "unknown architecture `LlamaForCausalLM` of type `qwen2`"),
        ("a classifier", json!({"architectures": ["LlamaForSequenceClassification"]}),
            "unknown architecture `LlamaForSequenceClassification`"),
        ("two architectures", json!({"architectures": ["LlamaForCausalLM", "Other"]}), "unknown architecture"),
        ("no architecture at all", json!({"architectures": gone, "model_type": gone}), "neither"),
        ("bias on the output projection", json!({"attention_bias": true}),
            "`attention_bias` is true in `some/config.json`, which is not supported (supported: false)"),
        ("bias in the feed-forward part", json!({"mlp_bias": true}), "`mlp_bias` is true"),
        ("sliding window", json!({"use_sliding_window": true}), "`use_sliding_window` is true"),
        ("another activation", json!({"hidden_act": "gelu"}), "`hidden_act` is \"gelu\""),
        ("quantised weights", json!({"quantization_config": {"bits": 4}}), "`quantization_config`"),
        ("sliding layers", json!({"num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]}),
            "`layer_types` is \"sliding_attention\""),
        ("layer types of another number", json!({"layer_types": ["full_attention"]}),
            "`layer_types` is a list of 1 in `some/config.json`, expected 16 entries, one a block"),
        ("yarn", llama3("rope_type", json!("yarn")), "`rope_scaling.rope_type` is \"yarn\""),
        ("linear, by the old key", json!({"rope_scaling": {"type": "linear", "factor": 2.0}}),
            "`rope_scaling.type` is \"linear\" in `some/config.json`, which is not supported \
             (supported: `default` and `llama3`)"),
        ("dynamic, by the new style", json!({"rope_scaling": gone, "rope_parameters": {"rope_type": "dynamic"}}),
            "`rope_parameters.rope_type` is \"dynamic\""),
        ("positions by kind of layer", json!({"rope_scaling": gone, "rope_parameters": {"full_attention": {}}}),
            "`rope_parameters.full_attention` is an object"),
        ("two bases that differ", json!({"rope_parameters": {"rope_theta": 1e4}}), "`rope_parameters.rope_theta`"),
        ("two scalings that differ", json!({"rope_parameters": {"rope_type": "default"}}), "`rope_parameters`"),
        ("partly rotary heads", json!({"partial_rotary_factor": 0.5}), "`partial_rotary_factor` is 0.5"),
        ("scaling without its factor", llama3("factor", Value::Null), "lacks `rope_scaling.factor`"),
        ("scaling factor below one", llama3("factor", json!(0.5)), "`rope_scaling.factor` is 0.5"),
        ("scaling factors in the wrong order", llama3("high_freq_factor", json!(1.0)),
            "`rope_scaling.high_freq_factor` is 1"),
        ("scaling of no context", llama3("original_max_position_embeddings", json!(0)), "is 0 in"),
        ("scaling that is text", json!({"rope_scaling": "llama3"}), "expected an object or null"),
        ("no vocabulary", json!({"vocab_size": gone}), "`some/config.json` lacks `vocab_size`"),
        ("vocabulary of nothing", json!({"vocab_size": 0}), "`vocab_size` is 0"),
        ("a negative size", json!({"hidden_size": -1}), "`hidden_size` is -1"),
        ("a size that is no whole number", json!({"hidden_size": 2048.0}), "`hidden_size` is 2048.0"),
        ("a size that is text", json!({"intermediate_size": "8192"}), "`intermediate_size` is \"8192\""),
        ("a size past all bounds", json!({"intermediate_size": huge}), "expected a whole number from 1 to"),
        ("more blocks than any model", json!({"num_hidden_layers": 1_000_000}), "expected a whole number from 1 to 10000"),
        ("a product past all bounds", json!({"vocab_size": 1_u64 << 31, "hidden_size": 1_u64 << 31}),
            "more parameters than can be addressed"),
        ("heads that do not divide the width", json!({"num_attention_heads": 31, "num_key_value_heads": 31}),
            "`hidden_size` is 2048 in `some/config.json`, expected a multiple of `num_attention_heads`, 31"),
        ("groups that do not divide the heads", json!({"num_key_value_heads": 5}),
            "`num_key_value_heads` is 5 in `some/config.json`, expected a divisor of `num_attention_heads`, 32"),
        ("more key heads than heads", json!({"num_key_value_heads": 64}), "`num_key_value_heads` is 64"),
        ("an odd head", json!({"head_dim": 63}), "`head_dim` is 63"),
        ("an odd head by the quotient", json!({"hidden_size": 96}), "`head_dim` is 3"),
        ("epsilon of zero", json!({"rms_norm_eps": 0.0}), "`rms_norm_eps` is 0.0"),
        ("a negative base", json!({"rope_theta": -1.0, "rope_scaling": null}), "`rope_theta` is -1.0"),
        ("begin token below zero", json!({"bos_token_id": -1}), "`bos_token_id` is -1"),
        ("a flag that is a number", json!({"tie_word_embeddings": 1}), "`tie_word_embeddings` is 1"),
    ];
    for (case, changes, expected) in cases {
        let error = read(&changed(LLAMA, &changes).to_string()).expect_err(case).to_string();
        assert!(error.contains(expected), "{case}: {error}");
    }
}

#[test]
fn text_that_is_no_json_object_is_refused() {
    for text in ["", "[]", "7", "{\"hidden_size\": NaN}", "{\"a\":"] {
        let error = read(text).expect_err(text).to_string();
        assert!(
            error.starts_with("`some/config.json` cannot be read as a model configuration: "),
            "{error}"
        );
    }
    let deep = "{\"a\":".to_owned() + &"[".repeat(100_000);
    assert!(read(&deep).is_err());
}

#[test]
fn dropping_blocks_changes_only_what_counts_blocks() {
    let types: Vec<Value> = (0..24).map(|layer| json!(format!("kind {layer}"))).collect();
    let eos: Vec<u32> = (0..24).collect();
    let base = changed(
        QWEN2,
        &json!({"layer_types": types, "eos_token_id": eos, "unknown": {"kept": [1, 2]}}),
    );
    let raw = RawConfig::from_json(base.to_string().as_bytes(), Path::new("c")).unwrap();
    let cut = raw.with_layers(&[0, 2, 23]).unwrap();
    let mut expected = base.clone();
    expected["num_hidden_layers"] = json!(3);
    expected["max_window_layers"] = json!(3);
    expected["layer_types"] = json!(["kind 0", "kind 2", "kind 23"]);
    assert_eq!(serde_json::from_slice::<Value>(&cut.to_json()).unwrap(), expected);
    let order = |raw: &RawConfig| raw.map().keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&cut), order(&raw));

    for wrong in [&[][..], &[24], &[1, 1], &[2, 1]] {
        let error = raw.with_layers(wrong).expect_err("a list that does not fit").to_string();
        let expected = format!("the blocks to keep must rise and lie below 24, found {wrong:?}");
        assert_eq!(error, expected);
    }
}

#[test]
fn the_stored_type_is_named_under_the_key_in_use() {
    let named = |base: &str| {
        let mut raw = RawConfig::from_json(base.as_bytes(), Path::new("c")).unwrap();
        raw.set_dtype("float16");
        raw.map().clone()
    };
    assert_eq!(named(LLAMA)["torch_dtype"], "float16");
    assert!(!named(LLAMA).contains_key("dtype"));
    assert_eq!(named(r#"{"dtype": "float32"}"#)["dtype"], "float16");
    assert_eq!(named("{}")["torch_dtype"], "float16");
}

#[test]
fn a_written_configuration_names_what_stock_transformers_needs() {
    let raw = shape::catalog::find("llama-3.2-1b").unwrap().config().to_raw();
    for (field, value) in [
        ("architectures", json!(["LlamaForCausalLM"])),
        ("head_dim", json!(64)),
        ("torch_dtype", json!("float32")),
        ("use_cache", json!(true)),
        ("tie_word_embeddings", json!(true)),
        ("rope_theta", json!(500_000.0)),
    ] {
        assert_eq!(raw.get(field), Some(&value), "{field}");
    }
    assert_eq!(raw.map()["rope_scaling"]["rope_type"], "llama3");
}

/// The rows were checked against published totals when the table was made.
#[test]
fn counts_equal_every_row_of_the_table_of_public_models() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/model_counts/llama_qwen_configs_checked.csv");
    let Ok(table) = std::fs::read_to_string(&path) else {
        eprintln!(
            "skipped: counts_equal_every_row_of_the_table_of_public_models: `../shared/data/model_counts` is missing"
        );
        return;
    };
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let number = |column: usize| cells[column].parse::<u64>().unwrap();
        let family = if number(9) == 1 { "Qwen2ForCausalLM" } else { "LlamaForCausalLM" };
        let config = json!({
            "architectures": [family], "hidden_size": number(1), "intermediate_size": number(2),
            "num_hidden_layers": number(3), "num_attention_heads": number(4), "num_key_value_heads": number(5),
            "head_dim": number(6), "vocab_size": number(7), "tie_word_embeddings": number(8) == 1,
            "max_position_embeddings": 4096,
        });
        let count = Count::of(&read(&config.to_string()).unwrap());
        assert_eq!(count.per_block(), number(10), "{}", cells[0]);
        assert_eq!(count.total(), number(11), "{}", cells[0]);
        if !cells[12].is_empty() {
            assert_eq!(count.total(), number(12), "{} as published", cells[0]);
        }
        rows += 1;
    }
    assert_eq!(rows, 14);
    let total = |name: &str| Count::of(&shape::catalog::find(name).unwrap().config()).total();
    assert_eq!(total("qwen2.5-72b"), 72_706_203_648);
    assert_eq!(total("llama-3.1-405b"), 405_853_388_800);
}

#[test]
fn an_embedding_is_counted_once_where_tied_and_twice_where_not() {
    let count = |tied: bool| {
        let text = changed(LLAMA, &json!({"tie_word_embeddings": tied})).to_string();
        Count::of(&read(&text).unwrap())
    };
    let (tied, untied) = (count(true), count(false));
    let table = 128_256 * 2048;
    assert_eq!((tied.embedding(), untied.embedding()), (table, 2 * table));
    assert_eq!(tied.without_embedding(), untied.without_embedding());
    assert_eq!(tied.total(), tied.embedding() + tied.without_embedding());
    // The looked-up table of an untied model is never multiplied, so both cost the same.
    assert_eq!(tied.training_flops_per_token(), 6 * tied.total());
    assert_eq!(untied.training_flops_per_token(), tied.training_flops_per_token());
}

#[test]
fn the_count_is_the_sum_of_the_named_tensors() {
    for entry in shape::catalog::entries() {
        let config = entry.config();
        let named: usize =
            shape::tensors::tensors(&config).iter().map(shape::tensors::TensorSpec::len).sum();
        assert_eq!(named as u64, entry.parameters(), "{}", entry.name());
    }
}
