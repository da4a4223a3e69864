//! Recipes of sweeps that take a second, and the parts that they are made of.

/// Text of the small language, with a tokenizer that is trained on it.
pub(crate) const TEXT: &str = r#"
format = 1
context = 32

[corpus]
grammar = { documents = 400, seed = 1 }
vocabulary = 300
heldout_share = 0.03
"#;

/// How models from scratch are trained.
pub(crate) const BASE: &str = "
[base]
tokens = 6_000
batch = 8
learning_rate = 4e-3
eval_points = 2
";

pub(crate) const CALIBRATION: &str = "
[calibration]
samples = 4
length = 32
";

/// A size from scratch: width, blocks, heads, groups of heads, and inner width.
pub(crate) fn size([width, blocks, heads, groups, inner]: [usize; 5]) -> String {
    format!(
        "[[series.sizes]]
hidden_size = {width}
num_hidden_layers = {blocks}
num_attention_heads = {heads}
num_key_value_heads = {groups}
intermediate_size = {inner}
"
    )
}

/// A method, by its name and how much goes.
pub(crate) fn method(name: &str, how_much: &str) -> String {
    format!("\n[[methods]]\nname = \"{name}\"\n{how_much}\n")
}

pub(crate) fn heal(tokens: &str, points: usize) -> String {
    format!("\n[heal]\ntokens = {tokens}\nwarmup = 256\neval_points = {points}\n")
}

/// A series of models from scratch.
pub(crate) fn small(sizes: &[[usize; 5]]) -> String {
    let sizes: String = sizes.iter().map(|of| size(*of)).collect();
    format!("\n[[series]]\nname = \"small\"\nmodel_type = \"llama\"\n{sizes}")
}

/// Two sizes, two cuts each and a control.
pub(crate) fn tiny() -> String {
    let sizes = small(&[[8, 3, 2, 1, 16], [16, 3, 2, 1, 32]]);
    let cuts = method("depth-block-influence", "blocks = [1, 2]");
    [TEXT, &sizes, BASE, CALIBRATION, &cuts, &heal("3_000", 4)].concat()
}
