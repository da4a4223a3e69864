//! Working memory that a thread keeps for its next task. Allocating and clearing it again would
//! take longer than some tasks.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static SPACES: RefCell<HashMap<TypeId, Box<dyn Any>>> = RefCell::default();
}

/// Gives `work` this thread's memory of a type, as the previous task left it. It is taken out while
/// in use: if the work meets another task of the same type, that one gets new memory.
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
