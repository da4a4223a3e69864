//! Room that a thread works in, kept for its next task: asking for memory and clearing it would
//! take longer than some tasks.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static SPACES: RefCell<HashMap<TypeId, Box<dyn Any>>> = RefCell::default();
}

/// Gives `work` this thread's space of a kind, as the task before left it. It is taken while in
/// use: should the work come upon another task of its kind, that one gets a new space.
pub(super) fn with_space<S: Default + 'static, R>(work: impl FnOnce(&mut S) -> R) -> R {
    let kept = SPACES.with_borrow_mut(|spaces| spaces.remove(&TypeId::of::<S>()));
    let mut space = kept.and_then(|space| space.downcast::<S>().ok()).unwrap_or_default();
    let result = work(&mut space);
    SPACES.with_borrow_mut(|spaces| spaces.insert(TypeId::of::<S>(), space));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_kept_for_the_next_task_and_not_shared_with_one_inside() {
        with_space(|numbers: &mut Vec<u8>| {
            numbers.push(1);
            with_space(|inner: &mut Vec<u8>| assert!(inner.is_empty()));
            with_space(|other: &mut Vec<u16>| assert!(other.is_empty()));
        });
        with_space(|numbers: &mut Vec<u8>| assert_eq!(numbers, &[1]));
    }
}
