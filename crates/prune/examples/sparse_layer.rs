//! Makes one linear layer sparse by every score and hands out what it was decided on, for a
//! comparison with another program.
//!
//!     cargo run --release -p regrow-prune --example sparse_layer -- IN.safetensors OUT.safetensors
//!
//! `IN` holds `weight`, `[out, in]`, and `inputs`, `[tokens, in]`, in f32. `OUT` gets `norms`,
//! `[in]`, the norm of every input column; `gram`, `[in, in]`, the sum of `x x^T`, in its upper
//! triangle; and the weight as each of the methods leaves it, under the method's id. Unstructured
//! zeros are half of the weights.

use std::error::Error;
use std::path::Path;

use model::backend::cpu::Cpu;
use model::safetensors::{Dtype, Planned, SafeTensors, Writer};
use prune::sparse::{Linear, LinearStats, MachineBench, Statistics, Workbench, ZeroRule};
use prune::{Method, method};

const PATTERNS: [&str; 5] = ["2:4", "4:8", "1:4", "3:32", "unstructured"];
const SCORES: [&str; 3] = ["magnitude", "wanda", "sparsegpt"];

/// Tokens that come at once, as in a walk.
const BATCH: usize = 2048;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        return Err("expected IN.safetensors OUT.safetensors".into());
    };
    let file = SafeTensors::open(Path::new(from))?;
    let (shape, weight) = read(&file, "weight")?;
    let (_, inputs) = read(&file, "inputs")?;
    let &[_, columns] = &shape[..] else { return Err("`weight` is no matrix".into()) };
    let machine = Cpu::<f32>::new();
    let mut bench = MachineBench::new(&machine);
    let mut stats = LinearStats::new(&mut bench, Statistics::Gram, columns)?;
    for batch in inputs.chunks(BATCH * columns) {
        stats.add(&mut bench, batch)?;
    }
    let mut gram = vec![0.0; columns * columns];
    bench.download(stats.gram().ok_or("no Gram matrix")?, 0, &mut gram)?;
    let fits = |pattern: &str| {
        let of = pattern.split_once(':').and_then(|(_, of)| of.parse::<usize>().ok());
        of.is_none_or(|of| columns.is_multiple_of(of))
    };
    let mut names = Vec::new();
    for pattern in PATTERNS.into_iter().filter(|pattern| fits(pattern)) {
        names.extend(SCORES.map(|score| format!("{pattern}-{score}")));
    }
    let planned = |name: &str, shape: &[usize]| Planned {
        name: name.to_owned(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
    };
    let mut plan = vec![planned("norms", &[columns]), planned("gram", &[columns, columns])];
    plan.extend(names.iter().map(|name| planned(name, &shape)));
    let mut writer = Writer::create(Path::new(to), plan)?;
    writer.write_f32(&stats.norms())?;
    writer.write_f32(&gram)?;
    for name in &names {
        let Method::Sparse(sparse) = method(name)? else {
            return Err("no sparse method".into());
        };
        let sums = stats.square_sums().to_vec();
        let stats = LinearStats::of_sums(&mut bench, stats.tokens(), sums, &gram)?;
        let mut linears = [Linear::new("weight", columns, weight.clone())];
        let zeros = ZeroRule::new(sparse.pattern(), 0.5);
        let outcome = sparse.score().sparsify(&mut bench, &mut linears, &stats, zeros)?;
        stats.free(&mut bench);
        if outcome != prune::sparse::Sparsified::default() {
            println!("{name}: {outcome:?}");
        }
        writer.write_f32(linears[0].weights())?;
    }
    writer.commit()?;
    Ok(())
}

fn read(file: &SafeTensors, name: &str) -> Result<(Vec<usize>, Vec<f32>), Box<dyn Error>> {
    let view = file.tensor(name)?;
    let mut values = vec![0.0; view.len()];
    view.to_f32(&mut values).map_err(|index| format!("`{name}` is not finite at {index}"))?;
    Ok((view.shape.to_vec(), values))
}
