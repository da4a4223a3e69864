//! No damaged log makes a reader panic, and none fills memory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use store::import::{Asked, read_log};

use crate::workbench::{fixture, steps_of};

/// Files of the fixtures, as their readers take them.
const FILES: [&str; 12] = [
    "trainer_state.json",
    "tensorboard/events.out.tfevents.1750000000.machine.1.0",
    "tensorboard_tensors/events.out.tfevents.1750000000.machine.1.0",
    "wandb_eval.csv",
    "nemo/training.jsonl",
    "nemo/validation.jsonl",
    "megatron.log",
    "composer.log",
    "torchtitan.log",
    "plain.csv",
    "plain.jsonl",
    "trackio.db",
];

/// A generator for damage; the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[test]
fn no_damaged_log_makes_a_reader_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = Chance(1);
    for name in FILES {
        let whole = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(Path::new(name).file_name().unwrap());
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=chance.below(4) {
                match chance.below(4) {
                    0 => bytes.truncate(chance.below(bytes.len())),
                    1 if !bytes.is_empty() => {
                        let at = chance.below(bytes.len());
                        bytes[at] = chance.below(256) as u8;
                    }
                    2 => {
                        let piece = [
                            b"9999999999999999999999",
                            b"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
                        ][chance.below(2)];
                        let at = chance.below(bytes.len());
                        bytes.splice(at..at, piece.iter().copied());
                    }
                    _ => {
                        let (from, to) = (chance.below(bytes.len()), chance.below(bytes.len()));
                        let piece = bytes[from.min(to)..from.max(to)].to_vec();
                        let at = chance.below(bytes.len());
                        bytes.splice(at..at, piece);
                    }
                }
            }
            fs::write(&path, &bytes).unwrap();
            let _ = read_log(&[&path], &Asked::default());
            let _ = read_log(&[&path], &steps_of(8).with_training_loss(true));
        }
    }
}

/// The largest resident memory of this process so far, in kilobytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn write(path: &PathBuf, megabytes: usize, head: &str, row: impl Fn(u64) -> String, tail: &str) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    file.write_all(head.as_bytes()).unwrap();
    let mut written = 0;
    let mut step = 0;
    while written < megabytes << 20 {
        step += 1;
        let row = row(step);
        written += row.len();
        file.write_all(row.as_bytes()).unwrap();
    }
    file.write_all(tail.as_bytes()).unwrap();
    file.into_inner().unwrap().sync_all().unwrap();
}

/// `REGROW_IMPORT_MB=1024` gives the logs a gigabyte each.
#[test]
fn a_long_log_is_read_in_bounded_memory() {
    let Some(before) = peak() else {
        eprintln!("skipped: a_long_log_is_read_in_bounded_memory: no /proc/self/status");
        return;
    };
    let megabytes = std::env::var("REGROW_IMPORT_MB").ok().and_then(|mb| mb.parse().ok());
    let megabytes = megabytes.unwrap_or(48);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let noise = "x".repeat(200);
    let text = |step: u64| {
        let mut line = format!(
            " [2025-06-15] iteration {step:8}/ 9999999 | consumed samples: {:12} | learning rate: 1.0E-04 | \
             global batch size:     8 | lm loss: 2.5E+00 | loss scale: 1.0 |\n",
            step * 8
        );
        if step.is_multiple_of(1000) {
            line += &format!(" validation loss at iteration {step} | lm loss value: 2.6E+00 | \n");
        }
        line
    };
    let entry = |step: u64| {
        let eval = if step.is_multiple_of(1000) { ",\"eval_loss\":2.6" } else { "" };
        let comma = if step > 1 { "," } else { "" };
        format!(
            "{comma}\n{{\"step\":{step},\"loss\":2.5{eval},\"num_input_tokens_seen\":{},\"note\":\"{noise}\"}}",
            step * 4096
        )
    };
    let row = |step: u64| {
        let eval = if step.is_multiple_of(1000) { "2.6" } else { "" };
        format!("{step},{},2.5,{eval},{noise}\n", step * 4096)
    };
    type Make<'a> = &'a dyn Fn(&PathBuf);
    let cases: [(&str, Make<'_>); 3] = [
        ("megatron", &|path| write(path, megabytes, "seq_length ..... 512\n", text, "")),
        ("trainer-state", &|path| write(path, megabytes, "{\"log_history\": [", entry, "]}")),
        ("csv", &|path| write(path, megabytes, "step,tokens,loss,eval_loss,note\n", row, "")),
    ];
    for (format, make) in cases {
        make(&path);
        let started = std::time::Instant::now();
        let log = read_log(&[&path], &Asked::default()).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(log.format(), format);
        let grown = peak().unwrap() - before;
        println!(
            "{format}: {megabytes} MiB in {seconds:.1} s, {} points, peak memory {:.0} MiB more",
            log.points().len(),
            grown as f64 / 1024.0
        );
        // Points and columns in their largest number take about 30 MiB, less than such a log.
        assert!(grown < 48 << 10, "{format}: {grown} kB");
    }
}
