//! Checks a downloaded file against its tag: SHA-256 for large files, Git's SHA-1 for small ones.

use std::io::Read;
use std::path::Path;

use sha1::{Digest, Sha1};

/// Whether a tag has the form of a hash: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
pub(super) fn is_hash(tag: &str) -> bool {
    matches!(tag.len(), 40 | 64) && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash of a file, of the same kind as `tag`.
pub(super) fn hash_like(tag: &str, path: &Path) -> disk::Result<String> {
    if tag.len() == 64 { Ok(disk::sha256(path)?.to_string()) } else { git_hash(path) }
}

/// Git's name for a file: SHA-1 over `blob <length>\0` and its bytes.
fn git_hash(path: &Path) -> disk::Result<String> {
    let length = std::fs::metadata(path).map_err(disk::io_error("read", path))?.len();
    let mut hash = Sha1::new_with_prefix(format!("blob {length}\0"));
    let mut file = std::fs::File::open(path).map_err(disk::io_error("read", path))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(disk::io_error("read", path))? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").unwrap();
        // git hash-object file; sha256sum file
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!((hash_like(git, &path).unwrap().as_str(), is_hash(git)), (git, true));
        assert_eq!((hash_like(sha256, &path).unwrap().as_str(), is_hash(sha256)), (sha256, true));
        assert!(!is_hash("../../../etc/passwd") && !is_hash(&"g".repeat(40)));
    }
}
