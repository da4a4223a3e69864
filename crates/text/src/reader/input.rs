//! A file as a stream of bytes, unpacked if they begin as gzip or Zstandard does.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::content::{self, HEAD};
use super::file_kind::{FileKind, Packing};
use crate::error::{Error, Result, TextFailure};

const BUFFER: usize = 1 << 16;

/// A file being read. Memory holds two buffers and, for `.zst`, a window of at most 128 MiB.
pub(super) struct Input {
    /// The beginning, which was looked at already, and what follows it.
    unpacked: BufReader<Chain<Cursor<Vec<u8>>, Unpacked>>,
    path: PathBuf,
    packing: Packing,
    /// Bytes read from the file, as they lie on the disk.
    read: Arc<AtomicU64>,
}

impl Input {
    /// Opens a file and looks at its beginning.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(disk::io_error("open", path))?;
        let read = Arc::new(AtomicU64::new(0));
        let mut file = BufReader::with_capacity(BUFFER, Counted { file, read: Arc::clone(&read) });
        let named = Packing::of(path);
        let start = file.fill_buf().map_err(disk::io_error("read", path))?;
        let packing = content::packing(start, named);
        if named == Packing::None && packing != Packing::None {
            return Err(content::packed_under_another_name(path, packing));
        }
        // An empty file is not a packed file: packers write a header even for empty text.
        if packing != Packing::None && start.is_empty() {
            return Err(ends_early(path, packing, 0));
        }
        let stream = match packing {
            Packing::None => Stream::Plain(file),
            Packing::Gzip => Stream::Gzip(Box::new(MultiGzDecoder::new(file))),
            Packing::Zstd => {
                let decoder = zstd::Decoder::with_buffer(file)
                    .map_err(|error| failed(path, packing, 0, error))?;
                Stream::Zstd(decoder)
            }
        };
        let mut unpacked = Unpacked { stream, bytes: 0 };
        let mut head = Vec::new();
        if let Err(error) = (&mut unpacked).take(HEAD).read_to_end(&mut head) {
            return Err(failed(path, packing, unpacked.bytes, error));
        }
        let unpacked = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(unpacked));
        Ok(Self { unpacked, path: path.to_owned(), packing, read })
    }

    /// How the file is read, by its beginning.
    ///
    /// # Errors
    /// If it holds nothing that is read here.
    pub(super) fn kind(&self) -> Result<FileKind> {
        content::kind(&self.path, self.head(), self.packing)
    }

    /// Whether the file is plainly JSON with one object a line.
    pub(super) fn is_json_lines(&self) -> bool {
        content::json_lines(self.head(), false)
    }

    /// The first bytes, unpacked.
    fn head(&self) -> &[u8] {
        self.unpacked.get_ref().get_ref().0.get_ref()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Packed bytes read from the file so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Turns an error of this stream into one of this crate.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        failed(&self.path, self.packing, self.unpacked.get_ref().get_ref().1.bytes, error)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unpacked.read(buffer)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.unpacked.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.unpacked.consume(amount);
    }
}

/// Tells errors of the system, which are about the file, from errors of a decoder, which are about
/// its content.
fn failed(path: &Path, packing: Packing, bytes: u64, error: io::Error) -> Error {
    // Errors of a decoder have no error number of the system.
    if error.raw_os_error().is_some() || packing == Packing::None {
        return disk::io_error("read", path)(error).into();
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ends_early(path, packing, bytes);
    }
    Error::from(TextFailure::Damaged {
        path: path.to_owned(),
        packing: packing.name(),
        bytes,
        why: error.to_string(),
    })
}

fn ends_early(path: &Path, packing: Packing, bytes: u64) -> Error {
    Error::from(TextFailure::EndsEarly { path: path.to_owned(), packing: packing.name(), bytes })
}

struct Unpacked {
    stream: Stream,
    bytes: u64,
}

enum Stream {
    Plain(BufReader<Counted>),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
    Zstd(zstd::Decoder<'static, BufReader<Counted>>),
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stream {
            Stream::Plain(file) => file.read(buffer),
            Stream::Gzip(decoder) => decoder.read(buffer),
            Stream::Zstd(decoder) => decoder.read(buffer),
        }?;
        self.bytes += read as u64;
        Ok(read)
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
