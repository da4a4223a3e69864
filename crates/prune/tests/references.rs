//! Sparse methods against NumPy, from the papers' formulas: `testdata/prune/sparse.safetensors`.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::Path;

use model::backend::cpu::Cpu;
use model::safetensors::SafeTensors;
use prune::sparse::{
    Linear, LinearStats, MachineBench, Sparsified, Statistics, Workbench, ZeroRule,
};
use prune::{Method, method};

/// As in `make_sparse.py`.
const PATTERNS: [&str; 5] = ["2:4", "4:8", "1:4", "3:32", "unstructured"];

struct Golden {
    file: SafeTensors,
    rows: usize,
    columns: usize,
    tokens: usize,
}

impl Golden {
    fn open() -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/prune/sparse.safetensors");
        let file = SafeTensors::open(&path).unwrap();
        let side = |name: &str, at: usize| file.tensor(name).unwrap().shape[at];
        let (rows, columns, tokens) = (side("weight", 0), side("weight", 1), side("inputs", 0));
        Self { file, rows, columns, tokens }
    }

    fn read(&self, name: &str) -> Vec<f32> {
        let view = self.file.tensor(name).unwrap();
        let mut values = vec![0.0; view.len()];
        view.to_f32(&mut values).unwrap();
        values
    }

    /// Statistics that are the golden ones, bit for bit.
    fn stats(&self, bench: &mut dyn Workbench) -> LinearStats {
        // The square of an f32 and its root are exact in f64.
        let square_sums = self.read("norms").iter().map(|&norm| f64::from(norm).powi(2)).collect();
        let gram = self.read("gram");
        let stats = LinearStats::of_sums(bench, self.tokens as u64, square_sums, &gram).unwrap();
        assert_eq!(stats.norms(), self.read("norms"));
        stats
    }

    /// What a method leaves of the weight.
    fn ours(&self, name: &str) -> Vec<f32> {
        let Ok(Method::Sparse(sparse)) = method(name) else { panic!("{name}") };
        let machine = Cpu::<f32>::new();
        let bench: &mut dyn Workbench = &mut MachineBench::new(&machine);
        let stats = self.stats(bench);
        let mut linears = [Linear::new("weight", self.columns, self.read("weight"))];
        assert_eq!(linears[0].rows(), self.rows);
        let zeros = ZeroRule::new(sparse.pattern(), 0.5);
        let outcome = sparse.score().sparsify(bench, &mut linears, &stats, zeros).unwrap();
        assert_eq!(outcome, Sparsified::default(), "{name}");
        let [weight] = linears;
        weight.into_weights()
    }
}

#[test]
fn magnitude_and_wanda_leave_what_the_formulas_leave_bit_for_bit() {
    let golden = Golden::open();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    for name in PATTERNS
        .into_iter()
        .flat_map(|pattern| ["magnitude", "wanda"].map(|score| format!("{pattern}-{score}")))
    {
        assert!(bits(golden.ours(&name)) == bits(golden.read(&name)), "{name}");
    }
}

#[test]
fn sparsegpt_leaves_what_the_formulas_leave() {
    let golden = Golden::open();
    let size = |values: &mut dyn Iterator<Item = f64>| {
        values.map(|value| value * value).sum::<f64>().sqrt()
    };
    for pattern in PATTERNS {
        let name = format!("{pattern}-sparsegpt");
        let (found, expected) = (golden.ours(&name), golden.read(&name));
        let zeros = |values: &[f32]| values.iter().map(|&value| value == 0.0).collect::<Vec<_>>();
        assert!(zeros(&found) == zeros(&expected), "{name}: other zeros");
        let off =
            size(&mut found.iter().zip(&expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let relative = off / size(&mut expected.iter().map(|&value| f64::from(value)));
        assert!(relative < 1e-5, "{name}: {relative:e}");
    }
}

#[test]
fn statistics_are_the_sums_over_tokens() {
    let golden = Golden::open();
    let machine = Cpu::<f32>::new();
    let bench: &mut dyn Workbench = &mut MachineBench::new(&machine);
    let mut stats = LinearStats::new(bench, Statistics::Gram, golden.columns).unwrap();
    let inputs = golden.read("inputs");
    // In pieces of unequal length, as batches may come.
    let (first, second) = inputs.split_at(70 * golden.columns);
    stats.add(bench, first).unwrap();
    stats.add(bench, second).unwrap();
    assert_eq!(stats.tokens(), golden.tokens as u64);
    for (found, expected) in stats.norms().iter().zip(golden.read("norms")) {
        assert!((found / expected - 1.0).abs() < 2e-7, "{found}, expected {expected}");
    }
    let (gram, norms) = (golden.read("gram"), golden.read("norms"));
    let mut found = vec![0.0; gram.len()];
    bench.download(stats.gram().unwrap(), 0, &mut found).unwrap();
    for row in 0..golden.columns {
        for column in row..golden.columns {
            let at = row * golden.columns + column;
            let off = (found[at] - gram[at]).abs() / (norms[row] * norms[column]);
            assert!(off < 1e-6, "{row}, {column}: {}, expected {}", found[at], gram[at]);
        }
    }
}
