//! How work is divided into tasks.

/// Elements per task. It is a constant, so that chunks do not depend on the number of threads.
pub(super) const CHUNK: usize = 1 << 14;

/// Rows of `columns` elements per task.
pub(super) fn rows_of_chunk(columns: usize) -> usize {
    (CHUNK / columns.max(1)).max(1)
}
