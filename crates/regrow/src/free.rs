//! The memory that is still free, on systems that report it.

use std::path::Path;

/// Bytes that this process may still allocate: the machine's free memory or the rest of its control
/// group's limit, whichever is less.
pub(crate) fn memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available);
    let group = control_group(Path::new("/sys/fs/cgroup"));
    machine.into_iter().chain(group).min()
}

/// `MemAvailable` of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What is left of the memory limit of the control group (cgroup v2) mounted at `root`; `None`
/// without a limit.
fn control_group(root: &Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        std::fs::read_to_string(root.join(name)).ok()?.trim().parse().ok()
    };
    // `memory.max` holds the word `max` where there is no limit.
    let limit = number("memory.max")?;
    Some(limit.saturating_sub(number("memory.current").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "MemTotal:       24684184 kB\nMemFree:  1 kB\nMemAvailable:   23068672 kB\n";
        assert_eq!(available(text), Some(23_068_672 * 1024));
        assert_eq!(available("MemTotal: 5 kB\n"), None);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(control_group(folder.path()), None);
        for (limit, left) in [("max\n", None), ("1000\n", Some(900))] {
            std::fs::write(folder.path().join("memory.max"), limit).unwrap();
            std::fs::write(folder.path().join("memory.current"), "100\n").unwrap();
            assert_eq!(control_group(folder.path()), left);
        }
    }
}
