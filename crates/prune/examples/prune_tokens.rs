//! Prunes a model on given calibration tokens, for a comparison with another program.
//!
//!     cargo run --release -p regrow-prune --example prune_tokens -- MODEL TOKENS.json METHOD OUT
//!
//! `TOKENS.json` is `{"length": N, "tokens": [id, ..]}`: sequences of N, end to end; all of them
//! are read, in their order. A method that takes a rate gets 0.3.

use std::error::Error;
use std::path::Path;

use disk::Existing;
use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use prune::{CalibrationSettings, Destination, PruningTarget, Request, Source, Takes, method};
use serde::Deserialize;

#[derive(Deserialize)]
struct Tokens {
    length: usize,
    tokens: Vec<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, tokens, name, out] = &arguments[..] else {
        return Err("expected MODEL TOKENS.json METHOD OUT".into());
    };
    let folder = ModelFolder::open(Path::new(model))?;
    let given: Tokens = serde_json::from_slice(&std::fs::read(tokens)?)?;
    let sequences = given.tokens.len() / given.length;
    let settings = CalibrationSettings { sequences, length: Some(given.length), seed: 0 };
    let method = method(name)?;
    let target = match method.takes().first() {
        Some(Takes::Pattern) => PruningTarget::Pattern,
        _ => PruningTarget::Rate { rate: 0.3, tolerance: 0.2 },
    };
    let text = &given.tokens[..sequences * given.length];
    let request = Request {
        calibration: Some((Source::Tokens(text), settings)),
        ..Request::new(method, target, env!("CARGO_PKG_VERSION"))
    };
    let destination = Destination::new(Path::new(out), Existing::Refuse);
    let machine = Cpu::<f32>::new();
    let pruned = prune::prune(&machine, &folder, &request, &destination, &mut |_| ())?;
    println!("{}", serde_json::to_string(pruned.record())?);
    Ok(())
}
