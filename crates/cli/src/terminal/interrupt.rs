//! Signals: the first asks to save and stop, the second ends the process at once.

use std::sync::Arc;

use anyhow::Context;
use regrow::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit status after a second signal.
const SECOND: i32 = 130;

/// Listens to signals; the first makes the request.
pub(crate) fn listen() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    let mut signals = vec![SIGINT, SIGTERM];
    // Slurm announces the end of a job by it.
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGUSR1);
    for signal in signals {
        signal_hook::flag::register_conditional_shutdown(signal, SECOND, Arc::clone(stop.flag()))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop.flag())))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(stop)
}
