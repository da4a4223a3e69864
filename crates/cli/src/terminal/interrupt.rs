//! Signals: the first asks to save and stop, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Exit status after a second signal.
const SECOND: i32 = 130;

/// Listens to signals; the flag is set by the first.
pub(crate) fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = vec![SIGINT, SIGTERM];
    // Slurm announces the end of a job by it.
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGUSR1);
    for signal in signals {
        signal_hook::flag::register_conditional_shutdown(signal, SECOND, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(stop)
}
