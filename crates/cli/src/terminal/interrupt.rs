//! Signals: the first one requests to save and stop, the second one ends the process at once.

use std::sync::Arc;

use anyhow::Context;
use regrow::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit status after a second signal: 128 + 2, as shells report a process that SIGINT ended.
const SECOND: i32 = 130;

/// Starts listening to signals. The first one makes the request.
pub(crate) fn listen() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    let mut signals = vec![SIGINT, SIGTERM];
    // Slurm can send this signal before it ends a job.
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGUSR1);
    for signal in signals {
        // The order matters: the shutdown handler runs first and finds the flag set only at the
        // second signal.
        signal_hook::flag::register_conditional_shutdown(signal, SECOND, Arc::clone(stop.flag()))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop.flag())))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(stop)
}
