//! Signals. Work that can be resumed hears of the first one, and saves. Otherwise, and at the
//! second one, the process removes what it was writing and ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use regrow::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit status after a second signal: 128 + 2, as shells report a process that SIGINT ended.
const SECOND: i32 = 130;

/// The request of the work that can stop by itself, if there is such work.
static STOP: Mutex<Option<Stop>> = Mutex::new(None);

/// Says that this command can stop by itself: the first signal makes the request.
pub(crate) fn listen() -> Stop {
    stop().get_or_insert_default().clone()
}

fn stop() -> MutexGuard<'static, Option<Stop>> {
    STOP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a signal.
fn hear(signal: i32) {
    let asked = stop().clone();
    match asked {
        Some(stop) if !stop.is_requested() => stop.request(),
        Some(_) => end(SECOND),
        None => end(128 + signal),
    }
}

fn end(status: i32) {
    disk::abandon();
    std::process::exit(status);
}

/// Begins to listen to signals.
#[cfg(unix)]
pub(crate) fn begin() -> anyhow::Result<()> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use signal_hook::consts::{SIGHUP, SIGUSR1};
    use signal_hook::{flag, low_level::pipe};
    // Slurm can send SIGUSR1 before it ends a job.
    let mut wanted = vec![SIGINT, SIGTERM, SIGUSR1];
    // `nohup` has the process ignore SIGHUP, and listening would undo that. Where the system does
    // not tell, a lost terminal ends the process as it always did.
    if is_ignored(SIGHUP) == Some(false) {
        wanted.push(SIGHUP);
    }
    let heard = || -> std::io::Result<()> {
        let last = Arc::new(AtomicUsize::new(0));
        let (mut receiver, sender) = UnixStream::pair()?;
        for signal in wanted {
            // The order matters: when the byte arrives, the number stands.
            flag::register_usize(signal, Arc::clone(&last), signal as usize)?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        // A thread, not a handler: only a thread may remove files. A byte for every signal, so that
        // two of them stay two, however late the thread runs.
        let answer = move || {
            let mut byte = [0];
            while receiver.read_exact(&mut byte).is_ok() {
                hear(last.load(Ordering::Relaxed) as i32);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(answer).map(drop)
    };
    heard().context("signals cannot be listened to")
}

/// Begins to listen to signals.
#[cfg(not(unix))]
pub(crate) fn begin() -> anyhow::Result<()> {
    use std::sync::Arc;
    let first = Stop::new();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(first.flag()))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    let watch = move || {
        loop {
            std::thread::sleep(std::time::Duration::from_millis(50));
            if first.flag().swap(false, std::sync::atomic::Ordering::Relaxed) {
                hear(SIGINT);
            }
        }
    };
    std::thread::spawn(watch);
    Ok(())
}

/// Whether this process was started with a signal ignored. `None` if the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: i32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}
