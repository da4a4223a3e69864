//! Files made to harm: memory stays bounded, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use peak_alloc::PeakAlloc;
use text::{ErrorKind, Reader, Reading};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Tests that measure memory take turns.
static TURN: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;

/// Reads a file to its end or to the first error; how many documents came, and the most memory it
/// took.
fn read(path: &Path, reading: Reading) -> (text::Result<usize>, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut reader = Reader::new(vec![path.to_owned()], reading).unwrap();
    let documents = reader.try_fold(0, |count, document| document.map(|_| count + 1));
    (documents, MEMORY.peak_usage().saturating_sub(before))
}

/// Writes a packed file that unpacks to `head` and then `times` as much of `repeated`.
fn bomb(path: &Path, head: &[u8], repeated: &[u8], times: usize) {
    let file = std::fs::File::create(path).unwrap();
    let mut packed: Box<dyn Write> = if path.extension().unwrap() == "gz" {
        Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()))
    } else {
        Box::new(zstd::Encoder::new(file, 1).unwrap().auto_finish())
    };
    packed.write_all(head).unwrap();
    for _ in 0..times {
        packed.write_all(repeated).unwrap();
    }
}

#[test]
fn a_decompression_bomb_stays_in_bounded_memory() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let longest = 4 * MIB as u64;
    let reading = || Reading { longest, ..Reading::default() };
    let zeros = vec![b'0'; MIB];
    for ending in ["gz", "zst"] {
        // 300 MiB in one line, in one document, and in a list inside a line of JSON.
        for (name, head) in [
            ("a.jsonl", &b"{\"text\": \""[..]),
            ("a.txt", b""),
            ("b.jsonl", b"{\"text\": \"a\", \"list\": ["),
        ] {
            let path = folder.path().join(format!("{name}.{ending}"));
            bomb(&path, head, &zeros, 300);
            assert!(std::fs::metadata(&path).unwrap().len() < 6 * MIB as u64, "a bomb is small");
            let (found, peak) = read(&path, reading());
            assert!(
                found.as_ref().is_err_and(|error| error.kind() == ErrorKind::TooLong
                    && error.to_string().ends_with("of more than 4194304 bytes")),
                "{name}: {found:?}"
            );
            assert!(peak < 16 * MIB, "{name}.{ending}: {} MiB", peak / MIB);
        }
        // As much in short lines is only a long file.
        let path = folder.path().join(format!("long.jsonl.{ending}"));
        let line = format!("{{\"text\": \"{}\"}}\n", "x".repeat(MIB / 2));
        bomb(&path, b"", line.as_bytes(), 400);
        let (found, peak) = read(&path, reading());
        assert_eq!(found.unwrap(), 400);
        assert!(peak < 8 * MIB, "long.{ending}: {} MiB", peak / MIB);
    }
}

#[test]
fn what_a_line_holds_beside_its_text_costs_no_memory() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    // A million lists, which as values would be a hundred times their text.
    std::fs::write(&path, format!("{{\"text\": \"a\", \"b\": [{}[]]}}", "[],".repeat(MIB)))
        .unwrap();
    let (found, peak) = read(&path, Reading::default());
    assert_eq!(found.unwrap(), 1);
    assert!(peak < 12 * MIB, "{} MiB for a line of 3", peak / MIB);
}

fn parquet_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parquet");
    let names =
        ["dictionary-snappy", "plain-gzip-v2", "plain-zstd-checksum", "delta-length", "kinds"];
    names.iter().map(|name| folder.join(format!("{name}.parquet"))).collect()
}

#[test]
fn a_parquet_file_with_any_byte_changed_is_read_or_refused_in_bounded_memory() {
    static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| PANICS.lock().unwrap().push(panic.to_string())));
    let (mut refused, mut tried, mut most, mut where_) = (0, 0, 0, String::new());
    for file in parquet_files() {
        let good = std::fs::read(&file).unwrap();
        for at in 0..good.len() {
            for value in [good[at] ^ (1 << (at % 8)), 0xff, good[at].wrapping_add(1)] {
                let mut bytes = good.clone();
                bytes[at] = value;
                std::fs::write(&path, bytes).unwrap();
                let (found, peak) =
                    read(&path, Reading { longest: MIB as u64, ..Reading::default() });
                tried += 1;
                refused += usize::from(found.is_err());
                if peak > most {
                    (most, where_) = (peak, format!("{}, byte {at} = {value}", file.display()));
                }
            }
        }
    }
    std::panic::set_hook(hook);
    assert!(tried > 10_000 && refused > tried / 4, "{refused} of {tried}");
    assert!(most < 16 * MIB, "{} MiB: {where_}", most / MIB);
    let panics = PANICS.lock().unwrap();
    assert!(
        panics.is_empty(),
        "what the library gave up on, {} times: {:?}",
        panics.len(),
        panics.first()
    );
}

#[test]
fn a_schema_too_deep_to_follow_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    // Version 1, then a list of a million groups, each with one child: name "a" (field 4), one
    // child (field 5).
    let group = [0x48, 1, b'a', 0x15, 2, 0];
    let mut footer = vec![0x15, 2, 0x19, 0xfc, 0xc0, 0x84, 0x3d];
    (0..1_000_000).for_each(|_| footer.extend(group));
    footer.push(0);
    let file = [b"PAR1", &footer[..], &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
    std::fs::write(&path, file).unwrap();
    let message = read(&path, Reading::default()).0.unwrap_err().to_string();
    assert!(message.contains("a footer with columns too deep inside each other"), "{message}");
}
