//! Downloads one file into the cache: resumed where it broke off, never longer than announced, and
//! under its final name only after its hash was checked.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use disk::Lock;

use super::address::Address;
use super::cache::Cache;
use super::client::{Answer, Client, Follow, Pace, too_slow};
use super::id::HubId;
use super::verify::{hash_like, is_hash};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::observer::{Event, Observer};

/// How often a file is begun again where a connection broke off.
const ATTEMPTS: usize = 6;
/// How often, if nothing at all comes.
const ATTEMPTS_IN_VAIN: usize = 3;
/// The first pause between attempts; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The largest file other than weights, in bytes. The largest tokenizers take some 50 MB.
const SMALL: u64 = 512 << 20;
/// How often we look whether another process has fetched a file.
const WAIT: Duration = Duration::from_millis(200);

/// One commit of one model.
pub(super) struct Commit<'a> {
    pub(super) id: &'a HubId,
    pub(super) client: &'a Client,
    pub(super) cache: &'a Cache,
    /// Its hash.
    pub(super) hash: &'a str,
    pub(super) observer: &'a mut dyn Observer,
}

/// A file that is wanted: its name, its page, and what the hub says of it.
struct Wanted<'a> {
    name: &'a str,
    page: &'a Address,
    announced: &'a Announced,
}

/// What the hub says of a file.
struct Announced {
    /// Git's SHA-1 of a small file, SHA-256 of a large one.
    hash: String,
    /// In bytes.
    size: u64,
}

impl Commit<'_> {
    /// The path of a file in the cache. A missing file is downloaded.
    pub(super) fn file(&mut self, name: &str) -> Result<PathBuf> {
        let cache = self.cache.of_model(self.id);
        if let Some(path) = cache.found(self.hash, name)? {
            return Ok(path);
        }
        let page = self.client.hub().join(&format!(
            "{}/resolve/{}/{}",
            self.id.model,
            self.hash,
            encoded(name)
        ));
        let announced = self.announced(&page, name)?;
        let blob = cache.blob(&announced.hash);
        if let Some(parent) = blob.parent() {
            fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
        }
        let _lock = self.lock(&blob)?;
        // Another process may have fetched it meanwhile, or another file has the same bytes.
        let there = blob.is_file() && hash_like(&announced.hash, &blob)? == announced.hash;
        if !there {
            let wanted = Wanted { name, page: &page, announced: &announced };
            self.fetch(&wanted, &blob)?;
        }
        cache.link(&announced.hash, self.hash, name)
    }

    /// Asks the hub for hash and size of a file.
    fn announced(&self, page: &Address, name: &str) -> Result<Announced> {
        let client = self.client;
        let mut answer = self.get(page, "0-0", Follow::OnHub, name)?;
        let tag = answer.header("x-linked-etag").or_else(|| answer.header("etag"));
        let hash = tag.unwrap_or_default().trim_start_matches("W/").replace('"', "").to_lowercase();
        // The tag becomes a file name in the cache, so anything but a hash is refused.
        if !is_hash(&hash) || answer.header("x-repo-commit") != Some(self.hash) {
            bail!(
                "the hub tags `{name}` of `{}` as `{}`, expected a hash",
                self.id,
                hash.escape_debug()
            );
        }
        let linked = answer.header("x-linked-size").and_then(|size| size.parse().ok());
        if linked.is_none() && answer.status >= 300 {
            // Only the place that it points to knows the size.
            let location = answer.header("location").unwrap_or_default();
            let elsewhere = answer.from.follow(location)?;
            answer = client
                .get(&elsewhere, Some("0-0"), Follow::ToTheEnd)
                .map_err(|error| self.cannot(name, error))?;
        }
        let Some(size) = linked.or_else(|| size_of(&answer)) else {
            bail!("`{}` does not say how long `{name}` of `{}` is", answer.from, self.id)
        };
        if !name.ends_with(".safetensors") && size > SMALL {
            bail!("`{name}` of `{}` is {size} bytes, expected at most {SMALL}", self.id);
        }
        Ok(Announced { hash, size })
    }

    fn get(&self, page: &Address, range: &str, follow: Follow, name: &str) -> Result<Answer> {
        let answer =
            self.client.get(page, Some(range), follow).map_err(|error| self.cannot(name, error))?;
        refuse(self.id, name, &answer)?;
        Ok(answer)
    }

    fn cannot(&self, name: &str, error: Error) -> Error {
        let message = format!("cannot fetch {name} of `{}`: {error}", self.id);
        Error::new(error.kind().clone(), message)
    }

    /// Locks a blob. Where another process is fetching it, waits until it has ended.
    fn lock(&mut self, blob: &Path) -> Result<Lock> {
        let path = blob.with_extension("lock");
        let mut told = false;
        loop {
            match Lock::acquire(&path) {
                Err(error) if error.is_locked() => {
                    if !told {
                        self.observer.hear(&Event::Note(&format!("{error}: waiting for it")));
                        told = true;
                    }
                    std::thread::sleep(WAIT);
                }
                acquired => return Ok(acquired?),
            }
        }
    }

    /// Downloads a file to `blob`.
    fn fetch(&mut self, wanted: &Wanted<'_>, blob: &Path) -> Result<()> {
        let Wanted { name, announced, .. } = *wanted;
        let part = blob.with_extension("part");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&part)
            .map_err(disk::io_error("create", &part))?;
        let mut resumed = self.begin(wanted, &mut file, &part)?;
        loop {
            let fetched = self.fill(wanted, &mut file, &part);
            self.observer.hear(&Event::Ended);
            fetched?;
            file.sync_all().map_err(disk::io_error("sync", &part))?;
            let found = hash_like(&announced.hash, &part)?;
            if found == announced.hash {
                break;
            }
            // What an earlier process had left may be at fault, so the file is fetched once more.
            truncate(&mut file, &part)?;
            if !resumed {
                let _ = fs::remove_file(&part);
                let message = format!(
                    "`{name}` of `{}` has the hash {found}, expected {}",
                    self.id, announced.hash
                );
                return Err(Error::new(ErrorKind::DamagedDownload, message));
            }
            resumed = false;
        }
        fs::rename(&part, blob).map_err(disk::io_error("create", blob))?;
        blob.parent().map_or(Ok(()), |folder| Ok(disk::sync_folder(folder)?))
    }

    /// Moves to the end of what an earlier process has left. Returns whether that is anything.
    fn begin(&mut self, wanted: &Wanted<'_>, file: &mut File, part: &Path) -> Result<bool> {
        let (name, size) = (wanted.name, wanted.announced.size);
        let mut done = file.seek(SeekFrom::End(0)).map_err(disk::io_error("read", part))?;
        if done > size {
            truncate(file, part)?;
            done = 0;
        }
        if let Some(room) = disk::free_space(part)?.filter(|&room| room < size - done) {
            let path = self.cache.path().display();
            bail!("`{name}` of `{}` takes {size} bytes, and `{path}` has room for {room}", self.id);
        }
        let detail = format!("fetching `{name}` of `{}`, {size} bytes", self.id);
        self.observer.hear(&Event::Detail(&detail));
        if done > 0 {
            let note =
                format!("`{name}` of `{}` is taken up after {done} of {size} bytes", self.id);
            self.observer.hear(&Event::Note(&note));
        }
        Ok(done > 0)
    }

    /// Fetches what is missing, in several attempts if the connection breaks off.
    fn fill(&mut self, wanted: &Wanted<'_>, file: &mut File, part: &Path) -> Result<()> {
        let (name, total, unit) = (wanted.name, wanted.announced.size, "bytes");
        let place = |file: &mut File| file.stream_position().map_err(disk::io_error("read", part));
        let begun = place(file)?;
        self.observer.hear(&Event::Begun { stage: name, total, unit, done: begun });
        let (mut attempts, mut in_vain) = (0, 0);
        loop {
            let before = place(file)?;
            let error = match self.attempt(wanted, file, part) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            attempts += 1;
            in_vain = if place(file)? > before { 0 } else { in_vain + 1 };
            let again = *error.kind() == ErrorKind::NoAnswer
                && attempts < ATTEMPTS
                && in_vain < ATTEMPTS_IN_VAIN;
            if !again {
                return Err(self.cannot(name, error));
            }
            std::thread::sleep(PAUSE * (1 << attempts));
        }
    }

    /// Fetches from the place of the file to its end.
    fn attempt(&mut self, wanted: &Wanted<'_>, file: &mut File, part: &Path) -> Result<()> {
        let Wanted { name, page, announced: &Announced { size, .. } } = *wanted;
        let mut at = file.stream_position().map_err(disk::io_error("read", part))?;
        // A server cannot send the range behind the last byte.
        if at == size && size > 0 {
            return Ok(());
        }
        let answer = self.client.get(page, Some(&format!("{at}-")), Follow::ToTheEnd)?;
        if size == 0 && answer.status == 416 {
            return Ok(());
        }
        refuse(self.id, name, &answer)?;
        let from = range_of(&answer).map_or(0, |(start, _)| start);
        if from != at {
            // The server sends the whole.
            if from != 0 {
                bail!("`{}` sends `{name}` from byte {from} on, expected {at}", answer.from);
            }
            truncate(file, part)?;
            at = 0;
        }
        let longer = |found: u64, from: &Address| {
            Error::msg(format!("`{from}` sends {found} bytes of `{name}`, expected {size}"))
        };
        let of = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if let Some(found) = of.map(|length| at.saturating_add(length)).filter(|&end| end > size) {
            return Err(longer(found, &answer.from));
        }
        let mut body = answer.into_body();
        let mut pace = Pace::new(body.patience);
        let mut piece = vec![0; 1 << 18];
        loop {
            let read = body.read(&mut piece)?;
            if read == 0 {
                break;
            }
            let end = at + read as u64;
            if end > size {
                return Err(longer(end, &body.from));
            }
            file.write_all(&piece[..read]).map_err(disk::io_error("write", part))?;
            at = end;
            self.observer.hear(&Event::Progress { done: at, message: "" });
            if at < size && !pace.holds(read as u64) {
                return Err(too_slow(&body.from, body.patience));
            }
        }
        if at < size {
            let message = format!("`{}` ends after {at} of {size} bytes", body.from);
            return Err(Error::new(ErrorKind::NoAnswer, message));
        }
        Ok(())
    }
}

/// Turns an answer without the page into an error.
pub(super) fn refuse(id: &HubId, what: &str, answer: &Answer) -> Result<()> {
    let (kind, message) = match answer.status {
        200..=299 => return Ok(()),
        // A place elsewhere, which the caller wanted to know.
        301 | 302 | 303 | 307 | 308 => return Ok(()),
        401 | 403 => (
            ErrorKind::HubRefuses,
            format!("the hub refuses `{id}` ({what}) to this token, or to no token"),
        ),
        404 => (ErrorKind::NotOnHub, format!("`{id}` ({what}) is not on the hub")),
        status => {
            // Too many requests, or a fault that passes.
            let passes = matches!(status, 408 | 425 | 429 | 500..=599);
            let kind = if passes { ErrorKind::NoAnswer } else { ErrorKind::Other };
            (kind, format!("`{}` answers with status {status} for {what} of `{id}`", answer.from))
        }
    };
    Err(Error::new(kind, message))
}

/// The size of a page, from its head.
fn size_of(answer: &Answer) -> Option<u64> {
    match answer.status {
        206 => range_of(answer)?.1,
        200 => answer.header("content-length")?.parse().ok(),
        // `bytes */0`: an empty file has no first byte.
        416 => answer.header("content-range")?.rsplit('/').next()?.parse().ok(),
        _ => None,
    }
}

/// Where the bytes of a partial answer begin, and the size of the whole.
fn range_of(answer: &Answer) -> Option<(u64, Option<u64>)> {
    let range = answer.header("content-range").filter(|_| answer.status == 206)?;
    let (bytes, size) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((bytes.split('-').next()?.parse().ok()?, size.parse().ok()))
}

fn truncate(file: &mut File, part: &Path) -> Result<()> {
    let emptied = file.set_len(0).and_then(|()| file.rewind());
    Ok(emptied.map_err(disk::io_error("write", part))?)
}

/// A file name as a part of an address.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
