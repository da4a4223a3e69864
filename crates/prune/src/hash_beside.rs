//! Hashes a model's weights while other work reads them, so that the disk reads them once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};

use model::folder::ModelFolder;
use rayon::Yield;

use crate::error::Result;

/// Runs `work` while one thread of the pool hashes the weights. `work` has the other threads, so no
/// more threads run than were asked for. The closure that `work` gets waits for the hash. If `work`
/// ends without calling it, nobody waits.
pub(crate) fn hash_beside<T>(
    folder: &ModelFolder,
    work: impl FnOnce(&mut dyn FnMut() -> Result<String>) -> Result<T>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    // A channel, since the hash may end before or after the work.
    let (sender, receiver) = mpsc::channel();
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            let hash = folder.weights_hash_unless(&stop);
            // Nobody receives if `work` ended early.
            let _ = sender.send(hash);
        });
        let mut hash = || {
            loop {
                let hash = match receiver.try_recv() {
                    // A waiting thread of the pool runs other tasks, perhaps the hash itself: on
                    // one thread, blocking here would wait for ever. If there is no task left,
                    // another thread has the hash.
                    Err(TryRecvError::Empty) if rayon::yield_now() == Some(Yield::Executed) => {
                        continue;
                    }
                    Err(TryRecvError::Empty) => {
                        receiver.recv().map_err(|_| TryRecvError::Disconnected)
                    }
                    heard => heard,
                };
                return Ok(hash
                    .expect("the hash is asked for once")?
                    .expect("nothing stops it while `work` runs"));
            }
        };
        let done = work(&mut hash);
        // Ends a hash that nobody asked for: the scope waits for its thread.
        stop.store(true, Ordering::Relaxed);
        done
    })
}
