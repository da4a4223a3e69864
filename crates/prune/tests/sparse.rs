//! Zeros where a pattern has them, everything else as it was.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk::Existing;
use ledger::{Cut, Fallback, Pattern};
use model::backend::cpu::Cpu;
use model::folder::{ModelFolder, SHARD_LIMIT};
use model::mask::Masks;
use model::sparsity::Sparsity;
use prune::sparse::{
    Linear, LinearStats, MachineBench, Magnitude, SparseMethod, Sparsified, Sparsify, Statistics,
    Workbench, ZeroRule,
};
use prune::{
    CalibrationSettings, Destination, METHODS, Method, MethodOptions, PruningTarget, Refused,
    Request, Source, method, record_of,
};
use shape::tensors::{self, Role};
use tempfile::TempDir;

const MODELS: [&str; 4] = ["llama-tied", "llama-untied-scaled", "qwen2-tied", "llama-long"];
const NAMES: [&str; 6] =
    ["2:4-magnitude", "2:4-wanda", "2:4-sparsegpt", "1:4-wanda", "4:8-sparsegpt", "2:4-sparsegpt"];

fn open(name: &str) -> ModelFolder {
    ModelFolder::open(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity").join(name),
    )
    .unwrap()
}

fn tokens(folder: &ModelFolder) -> Vec<u32> {
    let vocabulary = folder.config().vocab_size() as u32;
    (0..600_u32).map(|at| (at * at * 7 + at * 3 + at / 11) % vocabulary).collect()
}

fn request<'a>(name: &str, tokens: &'a [u32]) -> Request<'a> {
    let settings = CalibrationSettings { sequences: 8, length: Some(24), seed: 3 };
    let target = if name.starts_with("unstructured") {
        PruningTarget::Rate { rate: 0.2, tolerance: 0.05 }
    } else {
        PruningTarget::Pattern
    };
    Request {
        calibration: Some((Source::Tokens(tokens), settings)),
        ..Request::new(method(name).unwrap(), target, "0.1.0")
    }
}

fn prune(folder: &ModelFolder, request: &Request<'_>, out: &Path) -> prune::Result<prune::Pruned> {
    let destination = Destination::new(out, Existing::Refuse);
    prune::prune(&Cpu::<f32>::new(), folder, request, &destination, &mut |_| ())
}

fn replay(
    folder: &ModelFolder,
    record: &ledger::CutRecord,
    source: Option<Source<'_>>,
    out: &Path,
) -> prune::Result<()> {
    let destination = Destination::new(out, Existing::Refuse);
    prune::replay(&Cpu::<f32>::new(), folder, record, source, &destination, &mut |_, _| ())
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap())).collect()
}

fn values(folder: &ModelFolder, tensor: &tensors::TensorSpec) -> Vec<f32> {
    let mut values = vec![0.0; tensor.len()];
    folder.read_f32(tensor, &mut values).unwrap();
    values
}

/// Whether the group of the pattern divides every linear layer.
fn fits(folder: &ModelFolder, name: &str) -> bool {
    let Ok(Method::Sparse(sparse)) = method(name) else { return true };
    let Pattern::Groups { of, .. } = sparse.pattern() else { return true };
    let tensors = tensors::block_tensors(folder.config(), 0);
    tensors.iter().all(|tensor| {
        tensor.role.linear_name().is_none() || tensor.columns() % usize::from(of) == 0
    })
}

#[test]
fn zeros_stand_where_the_pattern_has_them_and_nothing_else_changes() {
    let mut ran = 0;
    for model in MODELS {
        let folder = open(model);
        let tokens = tokens(&folder);
        for name in NAMES.into_iter().chain([
            "unstructured-magnitude",
            "unstructured-wanda",
            "unstructured-sparsegpt",
        ]) {
            if !fits(&folder, name) {
                continue;
            }
            ran += 1;
            let place = TempDir::new().unwrap();
            let out = place.path().join("out");
            let pruned = prune(&folder, &request(name, &tokens), &out).unwrap();
            let after = ModelFolder::open(&out).unwrap();
            assert_eq!(pruned.record().method, name);
            assert_eq!(record_of(&out).unwrap().unwrap(), *pruned.record());
            assert_eq!(pruned.record().fallbacks, []);
            assert_eq!(after.raw_config().to_json(), folder.raw_config().to_json());
            let listed = Sparsity::of(&out).unwrap();
            assert!(!Masks::of(&after).unwrap().is_empty());
            let Method::Sparse(sparse) = method(name).unwrap() else { unreachable!() };
            let pattern = sparse.pattern();
            let mut zeros = 0;
            for tensor in tensors::tensors(folder.config()) {
                let (old, new) = (values(&folder, &tensor), values(&after, &tensor));
                let place = format!("{model} {name} {}", tensor.name);
                if tensor.role.linear_name().is_none() {
                    assert_eq!(old, new, "{place}");
                    assert!(!listed.tensors.contains_key(&tensor.name));
                    continue;
                }
                assert_eq!(listed.tensors[&tensor.name], pattern);
                assert_eq!(pattern.check(&new, tensor.columns()), Ok(()), "{place}");
                zeros += new.iter().filter(|&&value| value == 0.0).count() as u64;
                let kept_changed = old.iter().zip(&new).any(|(old, new)| *new != 0.0 && old != new);
                assert_eq!(kept_changed, name.ends_with("sparsegpt"), "{place}");
            }
            let record = pruned.record();
            assert_eq!(zeros, record.held.n0().0 - record.held.parameters().0, "{model} {name}");
            assert_eq!(record.held.rate().get(), zeros as f64 / record.held.n0().0 as f64);
            let card = fs::read_to_string(out.join("README.md")).unwrap();
            assert!(card.contains("promises no speed"), "{card}");
            assert!(
                !fs::read_to_string(out.join("config.json")).unwrap().contains("sparsity_config")
            );

            let again = place.path().join("again");
            let source = Some(Source::Tokens(&tokens));
            replay(&folder, record, source, &again).unwrap();
            assert!(
                contents(&out) == contents(&again),
                "{model} {name}: a replay gives the same bytes"
            );
            if method(name).unwrap().reads_text() {
                let other: Vec<u32> = tokens.iter().rev().copied().collect();
                let source = Some(Source::Tokens(&other));
                let to = place.path().join("no");
                let said = replay(&folder, record, source, &to).unwrap_err();
                assert_eq!(said.refusal(), Some(Refused::OtherCalibration), "{said}");
                assert!(!to.exists());
            }
        }
    }
    assert!(ran > 20, "{ran}");
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let folder = open("llama-long");
    let tokens = tokens(&folder);
    let place = TempDir::new().unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let out = place.path().join(threads.to_string());
        pool.install(|| prune(&folder, &request("2:4-sparsegpt", &tokens), &out)).unwrap();
        contents(&out)
    };
    assert!(run(1) == run(3));
}

#[test]
fn a_model_that_is_sparse_already_is_counted_and_only_chosen_layers_are_pruned() {
    let folder = open("llama-tied");
    let tokens = tokens(&folder);
    let place = TempDir::new().unwrap();
    let (once, twice) = (place.path().join("once"), place.path().join("twice"));
    let linear = vec![Role::Down, Role::Query];
    let options = MethodOptions { linear, ..MethodOptions::default() };
    let pruned =
        prune(&folder, &Request { options, ..request("2:4-magnitude", &tokens) }, &once).unwrap();
    let Cut::Sparse { linear, .. } = &pruned.record().cut else { panic!("a sparse cut") };
    assert_eq!(linear, &["q_proj", "down_proj"]);
    assert_eq!(pruned.record().already_zero, None);
    let half = ModelFolder::open(&once).unwrap();
    assert_eq!(Sparsity::of(&once).unwrap().tensors.len(), 2 * half.config().num_hidden_layers());
    let again = prune(&half, &request("2:4-magnitude", &tokens), &twice).unwrap();
    assert_eq!(
        again.record().already_zero.unwrap().0,
        pruned.record().held.n0().0 - pruned.record().held.parameters().0
    );
}

#[test]
fn bad_requests_get_an_error_and_leave_nothing() {
    let folder = open("llama-tied");
    let tokens = tokens(&folder);
    let place = TempDir::new().unwrap();
    let out = place.path().join("out");
    let with = |target: PruningTarget, name: &str| Request { target, ..request(name, &tokens) };
    let rate = |rate: f64| PruningTarget::Rate { rate, tolerance: 0.05 };
    let none = MethodOptions { linear: Vec::new(), ..MethodOptions::default() };
    for (request, expected) in [
        (request("3:7-magnitude", &tokens), "input columns, expected a multiple of 7 for 3:7"),
        (with(rate(0.3), "2:4-wanda"), "`2:4-wanda` got a rate, expected nothing but its pattern"),
        (
            with(PruningTarget::Pattern, "unstructured-wanda"),
            "`unstructured-wanda` got nothing but its pattern, expected a rate",
        ),
        (
            with(rate(0.999), "unstructured-wanda"),
            "rate 0.999 takes more zeros than the chosen layers have weights",
        ),
        (with(rate(f64::NAN), "unstructured-wanda"), "rate is NaN"),
        (
            Request { calibration: None, ..request("2:4-wanda", &tokens) },
            "`2:4-wanda` scores on calibration text, found none",
        ),
        (
            Request { options: none, ..request("2:4-wanda", &tokens) },
            "the list of linear layers to prune is empty",
        ),
    ] {
        let said = prune(&folder, &request, &out).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        assert!(!out.exists() && fs::read_dir(place.path()).unwrap().next().is_none());
    }
}

fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

/// Inputs whose columns follow one another and differ in size.
fn inputs(tokens: usize, columns: usize) -> Vec<f32> {
    let mut x = numbers(tokens * columns, 5);
    for row in x.chunks_exact_mut(columns) {
        for column in 1..columns {
            row[column] = 0.7 * row[column - 1] + row[column] * (1 + column % 5) as f32;
        }
    }
    x
}

/// `|W x - W' x|^2` over all tokens.
fn reconstruction(old: &[f32], new: &[f32], x: &[f32], columns: usize) -> f64 {
    let rows = old.chunks_exact(columns).zip(new.chunks_exact(columns));
    rows.map(|(old, new)| {
        let miss = |x: &[f32]| -> f64 {
            let terms = old.iter().zip(new).zip(x);
            terms.map(|((old, new), x)| (f64::from(*old) - f64::from(*new)) * f64::from(*x)).sum()
        };
        x.chunks_exact(columns).map(|x| miss(x).powi(2)).sum::<f64>()
    })
    .sum()
}

#[test]
fn what_knows_more_of_the_inputs_reconstructs_better() {
    let (rows, columns, tokens) = (24, 264, 700);
    let (old, x) = (numbers(rows * columns, 1), inputs(tokens, columns));
    let machine = Cpu::<f32>::new();
    for pattern in ["2:4", "4:8", "unstructured"] {
        let errors: Vec<f64> = METHODS
            .iter()
            .filter_map(|method| match method {
                Method::Sparse(sparse) => Some(sparse.score()),
                Method::Select(_) => None,
            })
            .map(|score: &dyn Sparsify| {
                let bench: &mut dyn Workbench = &mut MachineBench::new(&machine);
                let mut stats = LinearStats::new(bench, Statistics::Gram, columns).unwrap();
                stats.add(bench, &x).unwrap();
                let mut linears = [Linear::new("w", columns, old.clone())];
                let zeros = ZeroRule::new(pattern.parse().unwrap(), 0.5);
                score.sparsify(bench, &mut linears, &stats, zeros).unwrap();
                let new = linears[0].weights();
                assert_eq!(new.iter().filter(|&&value| value == 0.0).count(), rows * columns / 2);
                reconstruction(&old, new, &x, columns)
            })
            .collect();
        assert!(errors[2] < 0.75 * errors[1] && errors[1] < errors[0], "{pattern}: {errors:?}");
    }
}

#[test]
fn a_hessian_that_cannot_be_factored_falls_back_and_says_so() {
    let columns = 8;
    let old = numbers(4 * columns, 1);
    let machine = Cpu::<f32>::new();
    let zeros = ZeroRule::new(Pattern::TWO_FOUR, 0.0);
    // Off the diagonal larger than on it: no Gram matrix, as one that lost its digits.
    let run = |name: &str, larger: f32| {
        let bench: &mut dyn Workbench = &mut MachineBench::new(&machine);
        let mut seen = LinearStats::new(bench, Statistics::Gram, columns).unwrap();
        seen.add(bench, &inputs(50, columns)).unwrap();
        let mut gram = vec![0.0; columns * columns];
        bench.download(seen.gram().unwrap(), 0, &mut gram).unwrap();
        let scale = gram[0] * larger;
        (1..columns).for_each(|column| gram[column] = scale);
        let sums = seen.square_sums().to_vec();
        let stats = LinearStats::of_sums(bench, seen.tokens(), sums, &gram).unwrap();
        let Ok(Method::Sparse(sparse)) = method(name) else { unreachable!() };
        let mut linears = [Linear::new("w", columns, old.clone())];
        let outcome = sparse.score().sparsify(bench, &mut linears, &stats, zeros).unwrap();
        (outcome, linears[0].weights().to_vec())
    };
    let (outcome, _) = run("2:4-sparsegpt", 0.0);
    assert_eq!((outcome.damping(), outcome.instead()), (None, None));
    let (outcome, new) = run("2:4-sparsegpt", 1e6);
    assert_eq!((outcome.damping(), outcome.instead()), (None, Some("wanda")));
    assert_eq!(new, run("2:4-wanda", 1e6).1);
    let (outcome, _) = run("2:4-sparsegpt", 3.0);
    assert!(outcome.damping().is_some_and(|damping| damping > 0.01), "{outcome:?}");
}

/// A copy of a model whose numbers are changed tensor by tensor.
fn changed(
    from: &ModelFolder,
    to: &Path,
    change: impl Fn(&tensors::TensorSpec, &mut Vec<f32>),
) -> ModelFolder {
    let plan = model::weights::plan(from.config(), from.dtype());
    let mut writer = model::folder::FolderWriter::create(
        to,
        Existing::Refuse,
        from.raw_config(),
        plan,
        SHARD_LIMIT,
    )
    .unwrap();
    for tensor in tensors::tensors(from.config()) {
        let mut values = values(from, &tensor);
        change(&tensor, &mut values);
        writer.write_f32(&values).unwrap();
    }
    writer.commit().unwrap();
    ModelFolder::open(to).unwrap()
}

/// Neurons that fire at 1e20 and are read at 1e-20: their squares leave f32, no damping helps.
#[test]
fn a_fallback_is_recorded_and_stands_on_the_card() {
    let place = TempDir::new().unwrap();
    let folder = changed(&open("llama-tied"), &place.path().join("base"), |tensor, values| {
        let factor = match (tensor.layer, tensor.role) {
            (Some(1), Role::Up) => 1e20,
            (Some(1), Role::Down) => 1e-20,
            _ => 1.0,
        };
        values.iter_mut().for_each(|value| *value *= factor);
    });
    let tokens = tokens(&folder);
    let (out, again, wanda) =
        (place.path().join("out"), place.path().join("again"), place.path().join("wanda"));
    let pruned = prune(&folder, &request("2:4-sparsegpt", &tokens), &out).unwrap();
    let down = "model.layers.1.mlp.down_proj.weight".to_owned();
    let expected = Fallback::of(vec![down.clone()], None, Some("wanda".to_owned())).unwrap();
    assert_eq!(pruned.record().fallbacks, [expected]);
    assert_eq!(record_of(&out).unwrap().unwrap(), *pruned.record());
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    let line = format!("- `{down}`: pruned by `wanda` instead: the Hessian cannot be factored\n");
    assert!(card.contains(&line), "{card}");
    // It is the pattern all the same, and what Wanda leaves where the weights before are
    // SparseGPT's.
    let after = ModelFolder::open(&out).unwrap();
    let tensor = tensors::block_tensors(folder.config(), 1)
        .into_iter()
        .find(|tensor| tensor.name == down)
        .unwrap();
    let (old, new) = (values(&folder, &tensor), values(&after, &tensor));
    assert_eq!(Pattern::TWO_FOUR.check(&new, tensor.columns()), Ok(()));
    assert!(
        old.iter().zip(&new).all(|(old, new)| *new == 0.0 || old == new),
        "Wanda changes no other weight"
    );
    replay(&folder, pruned.record(), Some(Source::Tokens(&tokens)), &again).unwrap();
    assert!(contents(&out) == contents(&again));
    assert_eq!(
        prune(&folder, &request("2:4-wanda", &tokens), &wanda).unwrap().record().fallbacks,
        []
    );
}

/// Inputs that are always zero matter to nothing: SparseGPT's weights there go, more of them than
/// the pattern asks for.
#[test]
fn zeros_are_counted_as_they_stand() {
    let place = TempDir::new().unwrap();
    let folder = changed(&open("llama-tied"), &place.path().join("base"), |tensor, values| {
        if tensor.layer == Some(0) && tensor.role == Role::Up {
            let half = values.len() / 2;
            values[..half].fill(0.0);
        }
    });
    let tokens = tokens(&folder);
    let out = place.path().join("out");
    let pruned = prune(&folder, &request("2:4-sparsegpt", &tokens), &out).unwrap();
    let after = ModelFolder::open(&out).unwrap();
    let zeros: usize = tensors::tensors(folder.config())
        .iter()
        .filter(|tensor| tensor.role.linear_name().is_some())
        .map(|tensor| values(&after, tensor).iter().filter(|&&value| value == 0.0).count())
        .sum();
    let record = pruned.record();
    assert_eq!(record.held.n0().0 - record.held.parameters().0, zeros as u64);
    assert_eq!(
        record.held.n0_without_embedding().0 - record.held.parameters_without_embedding().0,
        zeros as u64
    );
    assert_eq!(record.held.rate().get(), zeros as f64 / record.held.n0().0 as f64);
    let whole =
        prune::decide(&Cpu::<f32>::new(), &folder, &request("2:4-magnitude", &tokens), &mut |_| ())
            .unwrap()
            .into_record();
    assert!(
        record.held.rate() > whole.held.rate(),
        "{} and {}",
        record.held.rate(),
        whole.held.rate()
    );
    assert!(record.already_zero.is_some());
}

/// Magnitude that says it had to damp more.
struct Damped;

impl Sparsify for Damped {
    fn name(&self) -> &'static str {
        "damped"
    }

    fn summary(&self) -> &'static str {
        "for this test"
    }

    fn paper(&self) -> Option<&'static str> {
        None
    }

    fn needs(&self) -> Statistics {
        Statistics::Nothing
    }

    fn sparsify(
        &self,
        bench: &mut dyn Workbench,
        linears: &mut [Linear],
        stats: &LinearStats,
        zeros: ZeroRule,
    ) -> prune::Result<Sparsified> {
        Magnitude.sparsify(bench, linears, stats, zeros)?;
        Ok(Sparsified::damped(0.1))
    }
}

#[test]
fn more_damping_is_recorded_for_its_tensors_and_stands_on_the_card() {
    let folder = open("qwen2-tied");
    let place = TempDir::new().unwrap();
    let out = place.path().join("out");
    let damped = Method::Sparse(SparseMethod::new(Pattern::TWO_FOUR, &Damped));
    let options =
        MethodOptions { linear: vec![Role::Query, Role::Key], ..MethodOptions::default() };
    let request = Request { options, ..Request::new(damped, PruningTarget::Pattern, "0.1.0") };
    let record = prune(&folder, &request, &out).unwrap().into_record();
    assert_eq!(record.fallbacks.len(), folder.config().num_hidden_layers());
    let first = &record.fallbacks[0];
    assert_eq!(
        first.tensors(),
        ["model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight"]
    );
    assert_eq!((first.damping(), first.score()), (Some(0.1), None));
    assert_eq!(record_of(&out).unwrap().unwrap(), record);
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    let line =
        "`model.layers.0.self_attn.k_proj.weight`: damped by 0.1 of the Hessian's mean diagonal\n";
    assert!(card.contains(line), "{card}");
}
