//! The hash of a model's weights, taken beside the work that reads them to write them: the disk is
//! asked once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};

use model::folder::ModelFolder;
use rayon::Yield;

use crate::error::Result;

/// Runs `work` while one of the pool's threads hashes the weights; the others are left to `work`,
/// so that no more of them run than were asked for. What `work` is given waits for the hash; should
/// `work` end before it asks, nobody waits.
pub(crate) fn hash_beside<T>(
    folder: &ModelFolder,
    work: impl FnOnce(&mut dyn FnMut() -> Result<String>) -> Result<T>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            let hash = folder.weights_hash_unless(&stop);
            // Nobody listens where `work` ended early.
            let _ = sender.send(hash);
        });
        let mut hash = || {
            loop {
                let hash = match receiver.try_recv() {
                    // A thread of the pool takes on what waits, the hash perhaps; where nothing
                    // does, another has the hash.
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
        stop.store(true, Ordering::Relaxed);
        done
    })
}
