//! A tiny model is trained, loses one of its blocks, and heals: no command line is needed.
//!
//! `cargo run --release -p regrow --example heal`

use regrow::disk::Existing;
use regrow::heal::{HealOptions, StartingPoint, heal};
use regrow::prune::{Destination, PruningTarget};
use regrow::pruning::{PruneOptions, prune};
use regrow::quickstart::grammar::Grammar;
use regrow::text::{BuildOptions, TokenizerSource};
use regrow::{Event, Recipe, Silent, Stop, tokenize};

const SHAPE: &str = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 80,
    "vocab_size": 320, "max_position_embeddings": 96, "tie_word_embeddings": true}"#;
const RECIPE: &str = "format = 1\ntokens = 20000\ncontext = 48\nbatch = 4\neval_tokens = 1000\n";

pub(crate) fn main() -> regrow::Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let (stop, recipe) = (Stop::new(), RECIPE.parse::<Recipe>()?);
    let (grammar, texts) = (Grammar::new(), at("texts"));
    std::fs::create_dir(&texts)?;
    for number in 0..300 {
        std::fs::write(texts.join(format!("{number}.txt")), grammar.tell(1, number).text)?;
    }
    let tokenizer = TokenizerSource::TrainBpe { vocabulary: 320 };
    tokenize(&BuildOptions::new(vec![texts], tokenizer, 0.1, at("corpus")), &stop, &mut Silent)?;

    std::fs::write(at("shape.json"), SHAPE)?;
    let start = StartingPoint::Random(at("shape.json"));
    let base = HealOptions::new(start, at("corpus"), recipe.clone());
    heal(&base, at("base"), &stop, &mut Silent)?;

    let one_block = PruneOptions::new(PruningTarget::Blocks(vec![2]));
    let pruned = at("pruned");
    let destination = Destination::new(&pruned, Existing::Refuse);
    prune(at("base/model"), &one_block, &destination, &mut Silent)?;

    let start = StartingPoint::Model(pruned);
    let options = HealOptions::new(start, at("corpus"), recipe).base(at("base/model"));
    let mut points = 0;
    let mut count = |event: &Event<'_>| points += usize::from(matches!(event, Event::Measured(_)));
    let healed = heal(&options, at("healed"), &stop, &mut count)?;
    let (pruned, last) = (healed.loss_pruned(), healed.curve().last().map(|point| point.loss));
    assert!(healed.is_done() && last < pruned, "{last:?} after training, {pruned:?} before");
    println!("{points} points: {pruned:?} right after pruning, {last:?} at the end");
    Ok(())
}
