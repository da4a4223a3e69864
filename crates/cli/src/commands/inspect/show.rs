//! What `regrow inspect` prints for people.

use std::collections::BTreeMap;

use ledger::Params;
use regrow::count::grouped;
use serde_json::Value;

use super::facts::Facts;
use crate::show::table::{Align, TextTable};
use crate::terminal::Output;

pub(super) fn show(facts: &Facts, output: &mut Output) -> anyhow::Result<()> {
    let Facts { shapes, parameters, rope, .. } = facts;
    let count = |number: u64| format!("{} ({})", grouped(number), Params(number));
    let size = |number: usize| grouped(number as u64);
    let weights = match (facts.weights, facts.dtype) {
        (true, Some(dtype)) => dtype.to_owned(),
        // Shapes and counts need no weights.
        _ => "none here, only a configuration".to_owned(),
    };
    let scaling = rope.llama3.as_ref().map_or_else(String::new, |llama3| {
        let original = size(llama3.original_max_position_embeddings);
        format!(", llama3 scaling by {} from {original} tokens", llama3.factor)
    });
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let mut table = TextTable::facts();
    table
        .fact("model", &facts.model)
        .fact("architecture", format!("{} ({})", facts.architecture, facts.family))
        .fact("parameters", count(parameters.total))
        .fact("  embedding", count(parameters.embedding))
        .fact("  without embedding", count(parameters.without_embedding))
        .fact("  attention", count(parameters.attention))
        .fact("  feed-forward", count(parameters.feed_forward))
        .fact("  norms", count(parameters.norms))
        .fact("  one block", count(parameters.per_block))
        .fact("blocks", facts.layers.to_string())
        .fact(
            "hidden, intermediate",
            format!("{}, {}", size(shapes.hidden_size), size(shapes.intermediate_size)),
        )
        .fact(
            "heads",
            format!(
                "{} for queries, {} for keys and values, {} channels each",
                shapes.num_attention_heads, shapes.num_key_value_heads, shapes.head_dim
            ),
        )
        .fact("vocabulary", size(shapes.vocab_size))
        .fact("embedding tied", yes(shapes.tie_word_embeddings))
        .fact("context", format!("{} tokens", size(facts.context)))
        .fact("rope", format!("theta {}{scaling}", rope.theta))
        .fact("weights", weights)
        .fact("tokenizer", yes(facts.tokenizer))
        .fact(
            "memory to train",
            format!("{:.2} GB in f32, activations aside", facts.training_bytes as f64 / 1e9),
        );
    if let Some(hash) = &facts.hash {
        table.fact("SHA-256", hash);
    }
    output.table(&table)?;
    output.data("\n")?;
    output.table(&tensors(facts))?;
    if !facts.legal_rates.is_empty() {
        let mut table = TextTable::new(&[
            ("blocks dropped", Align::Right),
            ("rate", Align::Right),
            ("rate without embedding", Align::Right),
            ("parameters left", Align::Right),
        ]);
        for legal in &facts.legal_rates {
            table.row([
                legal.dropped.to_string(),
                format!("{:.4}", legal.rate),
                format!("{:.4}", legal.rate_without_embedding),
                grouped(legal.parameters),
            ]);
        }
        output.data("\n")?;
        output.table(&table)?;
    }
    if !facts.sparsity.is_empty() {
        output.data("\n")?;
        output.table(&zeros(facts))?;
    }
    Ok(())
}

/// The tensors of a block and those outside, with their shapes.
fn tensors(facts: &Facts) -> TextTable {
    let mut table =
        TextTable::new(&[("tensor", Align::Left), ("shape", Align::Right), ("in", Align::Left)]);
    let (blocks, shapes) = (format!("each of {} blocks", facts.layers), &facts.shapes);
    let places = [(&shapes.block, blocks.as_str()), (&shapes.outside, "the model")];
    for (name, shape, place) in
        places.iter().flat_map(|(tensors, place)| tensors.iter().map(move |(n, s)| (n, s, *place)))
    {
        let sides = shape.as_array().into_iter().flatten().filter_map(Value::as_u64);
        let sides: Vec<String> = sides.map(grouped).collect();
        table.row([name.clone(), sides.join(" x "), place.to_owned()]);
    }
    table
}

/// The patterns of zeros, with one row for all blocks that have the same pattern.
fn zeros(facts: &Facts) -> TextTable {
    let mut found: BTreeMap<(String, String), (usize, Option<u64>)> = BTreeMap::new();
    for (name, zeros) in &facts.sparsity {
        let part = match name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.')) {
            Some((_, part)) => part.to_owned(),
            None => name.clone(),
        };
        let entry = found.entry((part, zeros.pattern.to_string())).or_insert((0, Some(0)));
        entry.0 += 1;
        // One tensor without a count makes the sum unknown.
        entry.1 = entry.1.zip(zeros.zeros).map(|(sum, more)| sum + more);
    }
    let mut table = TextTable::new(&[
        ("sparse tensor", Align::Left),
        ("pattern", Align::Left),
        ("blocks", Align::Right),
        ("zeros", Align::Right),
    ]);
    for ((part, pattern), (count, zeros)) in found {
        table.row([
            part,
            pattern,
            count.to_string(),
            zeros.map_or_else(|| "not counted".to_owned(), grouped),
        ]);
    }
    table
}
