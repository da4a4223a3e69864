//! The hash of a file.

use std::io::Read;
use std::path::Path;

use ledger::{Sha256, Sha256Hasher};

use crate::{Result, io_error, read};

/// SHA-256 of a regular file, read in pieces.
pub fn sha256(path: &Path) -> Result<Sha256> {
    let (mut file, _) = read::open(path)?;
    let mut hasher = Sha256Hasher::new();
    // In pieces: files of weights may be larger than memory.
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(io_error("read", path))? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_vectors_are_met() {
        // FIPS 180-2, appendix B: "abc" and a million times "a".
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap().to_string(), abc);
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sha256(&path).unwrap().to_string(), million);
    }
}
