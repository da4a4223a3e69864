//! Damaged files of every kind that is read: an answer or an error, never a panic, and never for
//! long.
//!
//! `REGROW_FUZZ=100` tries a hundred times as many files as a plain test run. A file that makes a
//! reader panic is kept, and its path is shown.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger::{Curve, Done, Phase, Point, Tokens};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use regrow::pruning::{PruneOptions, prune, prune_again};
use regrow::{Silent, disk, law_file, ledger, model, prune as pruning, store, text};

/// Damaged files a reader gets in a plain test run.
const INPUTS: u64 = 60;
/// A reader that takes longer for one of these small files hangs.
const LONGEST: Duration = Duration::from_secs(10);

/// A file that a reader reads, in a folder with all that belongs to it.
struct Case {
    name: &'static str,
    file: PathBuf,
    read: Box<dyn Fn(&Path)>,
}

#[test]
fn no_damaged_file_makes_a_reader_panic_or_hang() {
    let times: u64 = std::env::var("REGROW_FUZZ").map_or(1, |times| times.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for (number, case) in cases(place.path()).into_iter().enumerate() {
        let whole = std::fs::read(&case.file).unwrap();
        // The file itself is fine: else a reader would see only its first check.
        (case.read)(&case.file);
        let begin = Instant::now();
        let (mut slowest, inputs) = (Duration::ZERO, INPUTS * times);
        for input in 0..inputs {
            let mut random = ChaCha8Rng::seed_from_u64(input);
            random.set_stream(number as u64);
            let damaged = damaged(&whole, &mut random);
            std::fs::write(&case.file, &damaged).unwrap();
            let one = Instant::now();
            let found = catch_unwind(AssertUnwindSafe(|| (case.read)(&case.file)));
            slowest = slowest.max(one.elapsed());
            if found.is_err() || one.elapsed() > LONGEST {
                let kept = std::env::temp_dir().join(format!("regrow-{}-{input}", case.name));
                std::fs::write(&kept, &damaged).unwrap();
                failed.push(format!("{}: {}", case.name, kept.display()));
                break;
            }
        }
        std::fs::write(&case.file, whole).unwrap();
        eprintln!(
            "{}: {inputs} inputs in {:.1} s, the slowest {:.3} s",
            case.name,
            begin.elapsed().as_secs_f64(),
            slowest.as_secs_f64()
        );
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Changes a few places of a file.
fn damaged(whole: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    /// Numbers and words at the edges of what a parser takes.
    const WORDS: [&[u8]; 14] = [
        b"-1",
        b"0",
        b"1e999",
        b"18446744073709551615",
        b"9223372036854775807",
        b"4294967295",
        b"NaN",
        b"null",
        b"\"\"",
        b"{}",
        b"[]",
        b"1e-300",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0\0\0\0\0\0",
    ];
    let mut bytes = whole.to_vec();
    for _ in 0..=random.next_u32() % 3 {
        let mut below = |most: usize| random.next_u64() as usize % most.max(1);
        let at = below(bytes.len());
        let length = below(40).min(bytes.len() - at);
        match below(9) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = below(256) as u8;
                }
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let copied = bytes[at..at + length].to_vec();
                let to = below(bytes.len());
                bytes.splice(to..to, copied);
            }
            // A whole number, or a word of it, becomes another.
            6 | 7 => {
                let digit = |byte: &u8| byte.is_ascii_digit() || b".-".contains(byte);
                let start = bytes[at..].iter().position(digit).map_or(at, |found| at + found);
                let end = bytes[start..].iter().position(|b| !digit(b));
                let end = end.map_or(bytes.len(), |found| start + found);
                bytes.splice(start..end, WORDS[below(WORDS.len())].iter().copied());
            }
            _ => {
                let word = WORDS[below(WORDS.len())];
                let end = (at + word.len()).min(bytes.len());
                bytes.splice(at..end, word.iter().copied());
            }
        }
    }
    bytes
}

fn cases(place: &Path) -> Vec<Case> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut cases = Vec::new();
    let mut add = |name, file: PathBuf, read: Box<dyn Fn(&Path)>| {
        cases.push(Case { name, file, read });
    };

    // Text, in each format.
    let texts = place.join("texts");
    std::fs::create_dir(&texts).unwrap();
    let lines: String = (0..60)
        .map(|i| format!("{{\"text\": \"line {i} and \\u00e9 {}\", \"m\": {{\"n\": 1}}}}\n", i * i))
        .collect();
    for (name, content) in [
        ("text-jsonl", lines.clone().into_bytes()),
        ("text-gzip", packed(lines.as_bytes())),
        ("text-zstd", zstd_of(&lines)),
        ("text-plain", lines.replace('{', "").into_bytes()),
    ] {
        let ending = match name {
            "text-gzip" => "a.jsonl.gz",
            "text-zstd" => "a.jsonl.zst",
            "text-plain" => "a.txt",
            _ => "a.jsonl",
        };
        let file = texts.join(ending);
        std::fs::write(&file, content).unwrap();
        add(name, file, Box::new(|path| read_text(path, "text")));
    }
    for name in ["kinds", "dictionary-snappy", "plain-gzip-v2", "plain-zstd-checksum"] {
        let file = texts.join(format!("{name}.parquet"));
        std::fs::copy(testdata.join("parquet").join(format!("{name}.parquet")), &file).unwrap();
        add("text-parquet", file, Box::new(|path| read_text(path, "text")));
    }

    // A corpus.
    let corpus = place.join("corpus");
    let options = text::BuildOptions::new(
        vec![texts.join("a.jsonl")],
        text::TokenizerSource::TrainBpe { vocabulary: 290 },
        0.3,
        corpus.clone(),
    );
    text::build(&options, &mut |_| ()).unwrap();
    for file in ["corpus.json", "train.idx", "heldout.bin"] {
        let folder = corpus.clone();
        let read = move |_: &Path| {
            let Ok(corpus) = text::Corpus::open(&folder) else { return };
            let _ = corpus.heldout().check_hash();
            let _ = corpus.verify();
            let _ = corpus.tokenizer();
            let _ = corpus.overlapping_documents();
        };
        add("corpus", corpus.join(file), Box::new(read));
    }
    let tokenizer = place.join("tokenizer.json");
    std::fs::copy(corpus.join("tokenizer.json"), &tokenizer).unwrap();
    let read = |path: &Path| {
        let Ok(tokenizer) = text::Tokenizer::load(path) else { return };
        let _ = tokenizer.encode("line 7 and é, \u{1f600} <|endoftext|> 12345");
        let _ = tokenizer.decode_known(&(0..400).collect::<Vec<_>>());
    };
    add("tokenizer", tokenizer, Box::new(read));

    // A model, and one that was pruned.
    let base = place.join("base");
    std::fs::create_dir(&base).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(testdata.join("parity/llama-tied").join(file), base.join(file)).unwrap();
    }
    for (name, method) in [("depth", None), ("zeros", Some("2:4-magnitude"))] {
        let out = place.join(name);
        let options = match method {
            None => PruneOptions::new(pruning::PruningTarget::Blocks(vec![0])),
            Some(method) => PruneOptions::new(pruning::PruningTarget::Pattern)
                .method(pruning::method(method).unwrap()),
        };
        let destination = pruning::Destination::new(&out, disk::Existing::Refuse);
        prune(&base, &options, &destination, &mut Silent).unwrap();
    }
    for (name, file) in [
        ("model-config", "config.json"),
        ("model-weights", "model.safetensors"),
        ("model-sparsity", "sparsity.json"),
    ] {
        let folder = place.join("zeros");
        let read = move |_: &Path| {
            let Ok(model) = model::folder::ModelFolder::open(&folder) else { return };
            let _ = model.weights_hash();
            let _ = model::mask::Masks::of(&model);
        };
        add(name, place.join("zeros").join(file), Box::new(read));
    }
    for (name, folder) in [("cut-of-blocks", "depth"), ("cut-of-zeros", "zeros")] {
        let (base, again) = (base.clone(), place.join("again"));
        let read = move |path: &Path| {
            let destination = pruning::Destination::new(&again, disk::Existing::Replace);
            let _ = prune_again(&base, path, None, &destination, &mut Silent);
        };
        add(name, place.join(folder).join("cut.json"), Box::new(read));
    }

    // A run, points, a law.
    let run = place.join("run");
    make_run(&run);
    for file in ["spec.toml", "record.json", "metrics.jsonl", "done.json"] {
        let folder = run.clone();
        let read = move |_: &Path| {
            let _ = store::runs(&folder);
            let _ = store::run_points(&folder);
        };
        add("run", run.join(file), Box::new(read));
    }
    let imported = place.join("imported");
    import_run(&imported, &place.join("log.csv"));
    for file in ["record.json", "metrics.jsonl"] {
        let folder = imported.clone();
        let read = move |_: &Path| {
            let _ = store::runs(&folder);
            let _ = store::run_points(&folder);
        };
        add("imported", imported.join(file), Box::new(read));
    }
    let points = place.join("points.csv");
    std::fs::write(
        &points,
        "series,method,run,n0,rate,loss0,tokens,loss\ns,m,a,1e9,0.2,2.5,1000000,2.9\ns,m,a,1e9,0.2,2.5,2e6,2.8\n",
    )
    .unwrap();
    let read = |path: &Path| {
        let _ = store::read_points(path, "p2");
        let _ = store::read_candidates(path);
    };
    add("points", points, Box::new(read));
    let law = place.join("law.json");
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/2026-11-24-loop/law.json");
    std::fs::copy(made, &law).unwrap();
    let read = |path: &Path| drop(law_file::read(path));
    add("law", law, Box::new(read));
    cases
}

fn read_text(path: &Path, field: &str) {
    let reading = text::Reading { field: field.to_owned(), ..text::Reading::default() };
    let Ok(sources) = text::Sources::find(&[path.to_owned()]) else { return };
    let _ = sources.check(&reading);
    let Ok(reader) = sources.read(&reading) else { return };
    // Some damage makes a small file large: more is not worth the time.
    reader.take(10_000).for_each(drop);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_of(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn make_run(path: &Path) {
    let (spec, record) = (ledger::testing::run_spec(), ledger::testing::run_record());
    let record = record.with_loss0(ledger::Nats(1.25), None);
    let mut run =
        store::RunFolder::create(path, disk::Existing::Refuse, &spec, "", &record, None).unwrap();
    let points: Vec<Point> = (0..4)
        .map(|step| Point {
            eval_loss: Some(4.0 / (step + 1) as f64),
            ..Point::new(step, Tokens(step * 512), 0.1, Phase::Constant)
        })
        .collect();
    points.iter().for_each(|point| run.append(point).unwrap());
    let curve = Curve::from_points(&points);
    let done = Done::of(&record, &curve, (3, Tokens(1536)), 1.0, "ee".into()).unwrap();
    run.finish(&done).unwrap();
}

fn import_run(path: &Path, log: &Path) {
    use store::import::{Asked, ImportedRun, read_log};
    std::fs::write(log, "step,tokens,eval_loss,lr\n1,512,3,0.1\n2,1024,2.5,0.1\n").unwrap();
    let log = read_log(&[log], &Asked::default()).unwrap();
    let facts = ledger::Facts::default()
        .with_size(ledger::Params(1000))
        .with_rate(ledger::Rate::new(0.25).unwrap())
        .with_loss0(ledger::Nats(2.0), None);
    ImportedRun::create(path, disk::Existing::Refuse, &log, facts).unwrap();
}
