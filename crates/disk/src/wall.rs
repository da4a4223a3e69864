//! A wall round a library that may panic on a damaged file.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether this thread is behind the wall now, so that its panic is an error and no report.
    static BEHIND: Cell<bool> = const { Cell::new(false) };
}

/// Runs a library on what a file holds, and turns its panic into a sentence.
///
/// Nothing is printed of the panic. What the library was working on must not be used afterwards: it
/// may be half changed. A panic of our own code is no business of this wall.
///
/// ```
/// let found = disk::guarded(|| [1, 2, 3][3..][0]);
/// assert!(found.unwrap_err().starts_with("what the library gives up on"));
/// ```
///
/// # Errors
/// If the library panics: what it said.
pub fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !BEHIND.get() {
                usual(panic);
            }
        }));
    });
    let before = BEHIND.replace(true);
    let found = catch_unwind(AssertUnwindSafe(run));
    BEHIND.set(before);
    found.map_err(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        match said {
            // A message may quote what the file holds.
            Some(said) => {
                let said: String = said.escape_debug().take(200).collect();
                format!("what the library gives up on ({said})")
            }
            None => "what the library gives up on".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_sentence_and_the_next_call_works() {
        let found: Result<(), _> = guarded(|| panic!("index {} of 3", 7));
        assert_eq!(found.unwrap_err(), "what the library gives up on (index 7 of 3)");
        assert_eq!(guarded(|| 5).unwrap(), 5);
        let inside = guarded(|| {
            let inner: Result<(), _> = guarded(|| panic!("inner"));
            assert!(inner.is_err() && BEHIND.get(), "still behind the outer wall");
        });
        assert!(inside.is_ok() && !BEHIND.get());
    }
}
