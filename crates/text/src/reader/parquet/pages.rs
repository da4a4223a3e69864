//! The pages of one column chunk. They are unpacked with limits and checked before the library
//! decodes them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use flate2::Crc;
use flate2::bufread::MultiGzDecoder;
use parquet::basic::{CompressionCodec, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

use super::delta;
use super::thrift::{FieldKind, Thrift};

/// Supported packings, by their names in the format.
pub(super) const CODECS: &str = "UNCOMPRESSED, SNAPPY, GZIP or ZSTD";

/// Whether pages of this packing can be read.
pub(super) fn can_unpack(codec: CompressionCodec) -> bool {
    use CompressionCodec::{GZIP, SNAPPY, UNCOMPRESSED, ZSTD};
    matches!(codec, UNCOMPRESSED | SNAPPY | GZIP | ZSTD)
}

/// Reads the pages of a flat column of byte arrays.
pub(super) struct Pages {
    chunk: BufReader<Take<File>>,
    codec: CompressionCodec,
    /// Whether values may be null. Pages then begin with definition levels.
    nullable: bool,
    /// The largest page, in bytes, unpacked.
    largest: usize,
    dictionary: bool,
}

impl Pages {
    /// Pages of a chunk of `length` bytes from `start` on. The chunk must lie inside the file.
    pub(super) fn new(
        mut file: File,
        (start, length): (u64, u64),
        codec: CompressionCodec,
        nullable: bool,
        largest: u64,
    ) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        let chunk = BufReader::with_capacity(1 << 16, file.take(length));
        // The format counts the bytes of a page in 31 bits.
        let largest = usize::try_from(largest).unwrap_or(usize::MAX).min(i32::MAX as usize);
        Ok(Self { chunk, codec, nullable, largest, dictionary: false })
    }

    fn page(&mut self) -> Result<Option<Page>> {
        while !self.chunk.fill_buf()?.is_empty() {
            // Sizes are checked before memory is allocated for them.
            let header = PageHeader::read(&mut self.chunk)?;
            for (what, size) in [("packed", header.packed), ("unpacked", header.unpacked)] {
                if size > self.largest {
                    return bad(format!(
                        "a page of {size} bytes {what}, expected at most {}",
                        self.largest
                    ));
                }
            }
            if header.packed as u64 > self.left() {
                let left = self.left();
                return bad(format!(
                    "a page of {} bytes where its column has {left} left",
                    header.packed
                ));
            }
            // The page lies inside the file, so this allocates at most the size of the file.
            let mut bytes = vec![0; header.packed];
            self.chunk.read_exact(&mut bytes)?;
            // The checksum covers the packed bytes.
            if let Some(expected) = header.crc {
                let mut crc = Crc::new();
                crc.update(&bytes);
                if crc.sum() != expected {
                    return bad(format!(
                        "a page with checksum {:08x}, expected {expected:08x}",
                        crc.sum()
                    ));
                }
            }
            match header.kind {
                Some(PageKind::Dictionary) => return self.dictionary(&header, bytes).map(Some),
                Some(PageKind::Data) => return self.data(&header, bytes).map(Some),
                Some(PageKind::DataV2) => return self.data_v2(&header, bytes).map(Some),
                // An index page, which is for lookups. It is skipped.
                None => {}
            }
        }
        Ok(None)
    }

    fn dictionary(&mut self, header: &PageHeader, bytes: Vec<u8>) -> Result<Page> {
        let buf = unpack(self.codec, bytes, header.unpacked)?;
        // The library allocates memory for the promised number of values, so the number must be
        // true.
        let found = count(&buf)?;
        if header.values > found {
            return bad(format!("a dictionary of {found} values, expected {}", header.values));
        }
        self.dictionary = true;
        Ok(Page::DictionaryPage {
            buf: buf.into(),
            num_values: header.values as u32,
            encoding: encoding(header.encoding)?,
            is_sorted: false,
        })
    }

    fn data(&self, header: &PageHeader, bytes: Vec<u8>) -> Result<Page> {
        let buf = unpack(self.codec, bytes, header.unpacked)?;
        // A column with nulls has definition levels before its values. Their length comes first.
        let mut levels = 0;
        if self.nullable {
            if header.levels != Some(RLE) {
                // Only old writers use the other encoding, BIT_PACKED.
                return bad("definition levels in another encoding than RLE".to_owned());
            }
            let length = buf
                .first_chunk::<4>()
                .map_or(usize::MAX, |length| u32::from_le_bytes(*length) as usize);
            levels = length.saturating_add(4);
        }
        let (encoding, buf) = self.values(header, buf, levels)?;
        Ok(Page::DataPage {
            buf: buf.into(),
            num_values: header.values as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })
    }

    fn data_v2(&self, header: &PageHeader, mut bytes: Vec<u8>) -> Result<Page> {
        let levels = header.definition_bytes.saturating_add(header.repetition_bytes);
        if levels > bytes.len() || levels > header.unpacked {
            return bad(format!("a page of {} bytes with {levels} bytes of levels", bytes.len()));
        }
        if header.is_packed && self.codec != CompressionCodec::UNCOMPRESSED {
            // In version 2 only values are packed, levels never.
            let values = unpack(self.codec, bytes.split_off(levels), header.unpacked - levels)?;
            bytes.extend_from_slice(&values);
        }
        if header.nulls > header.values {
            return bad(format!(
                "a page of {} values, {} of them null",
                header.values, header.nulls
            ));
        }
        let (encoding, bytes) = self.values(header, bytes, levels)?;
        Ok(Page::DataPageV2 {
            buf: bytes.into(),
            num_values: header.values as u32,
            encoding,
            num_nulls: header.nulls as u32,
            num_rows: header.values as u32,
            def_levels_byte_len: header.definition_bytes as u32,
            rep_levels_byte_len: header.repetition_bytes as u32,
            is_compressed: false,
            statistics: None,
        })
    }

    /// Prepares a page whose values follow `levels` bytes, in an encoding that the library decodes
    /// safely.
    fn values(
        &self,
        header: &PageHeader,
        mut page: Vec<u8>,
        levels: usize,
    ) -> Result<(Encoding, Vec<u8>)> {
        let Some(values) = page.get(levels..) else {
            return bad(format!("a page of {} bytes with {levels} bytes of levels", page.len()));
        };
        match encoding(header.encoding)? {
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY if !self.dictionary => {
                bad("a page that needs a dictionary before there is one".to_owned())
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                // The decoder of the library panics on wrong lengths, so the values are turned into
                // PLAIN.
                let plain = delta::plain(values, header.values, self.largest)?;
                page.truncate(levels);
                page.extend_from_slice(&plain);
                page.extend(END);
                Ok((Encoding::PLAIN, page))
            }
            Encoding::PLAIN => {
                // Checks all lengths, so that none leads the decoder out of the page.
                count(values)?;
                page.extend(END);
                Ok((Encoding::PLAIN, page))
            }
            encoding => Ok((encoding, page)),
        }
    }

    fn left(&self) -> u64 {
        self.chunk.get_ref().limit() + self.chunk.buffer().len() as u64
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        bad("looking ahead is for nested columns".to_owned())
    }

    fn skip_next_page(&mut self) -> Result<()> {
        bad("pages are read, not skipped".to_owned())
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.page().transpose()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PageKind {
    Data,
    Dictionary,
    DataV2,
}

/// Number of the encoding RLE.
const RLE: i64 = 3;

/// A length that no page can have, put behind the last value. If levels promise more values than
/// there are, the library reads it and returns an error. Without it, the library would panic.
const END: [u8; 4] = [0xff; 4];

/// The fields of a page header that are needed here.
#[derive(Debug)]
struct PageHeader {
    kind: Option<PageKind>,
    packed: usize,
    unpacked: usize,
    crc: Option<u32>,
    values: usize,
    encoding: i64,
    /// Encoding of definition levels, in a data page of version 1.
    levels: Option<i64>,
    nulls: usize,
    definition_bytes: usize,
    repetition_bytes: usize,
    is_packed: bool,
}

impl PageHeader {
    fn read(input: &mut impl Read) -> Result<Self> {
        let mut header = Self {
            kind: None,
            // A missing field leaves a size that fails every check.
            packed: usize::MAX,
            unpacked: usize::MAX,
            crc: None,
            values: usize::MAX,
            encoding: -1,
            levels: None,
            nulls: 0,
            definition_bytes: 0,
            repetition_bytes: 0,
            is_packed: true,
        };
        let mut thrift = Thrift::new(input);
        let mut last = 0;
        while let Some((number, kind)) = thrift.field(last)? {
            match (number, kind) {
                (1, FieldKind::Integer) => {
                    header.kind = match thrift.integer()? {
                        0 => Some(PageKind::Data),
                        // Kind 1 is an index page.
                        1 => None,
                        2 => Some(PageKind::Dictionary),
                        3 => Some(PageKind::DataV2),
                        other => return bad(format!("a page of kind {other}, expected 0 to 3")),
                    }
                }
                (2, FieldKind::Integer) => header.unpacked = thrift.size()?,
                (3, FieldKind::Integer) => header.packed = thrift.size()?,
                (4, FieldKind::Integer) => header.crc = Some(thrift.integer()? as u32),
                (5, FieldKind::Struct) => header.body(&mut thrift, PageKind::Data)?,
                (7, FieldKind::Struct) => header.body(&mut thrift, PageKind::Dictionary)?,
                (8, FieldKind::Struct) => header.body(&mut thrift, PageKind::DataV2)?,
                (_, kind) => thrift.skip(kind)?,
            }
            last = number;
        }
        // The decoder counts values in 31 bits.
        if header.kind.is_some() && header.values > i32::MAX as usize {
            return bad("a page that does not say how many values it holds".to_owned());
        }
        Ok(header)
    }

    /// The part that depends on the kind of the page.
    fn body<R: Read>(&mut self, thrift: &mut Thrift<'_, R>, kind: PageKind) -> Result<()> {
        let mut last = 0;
        while let Some((number, found)) = thrift.field(last)? {
            match (kind, number, found) {
                (_, 1, FieldKind::Integer) => self.values = thrift.size()?,
                (PageKind::Data | PageKind::Dictionary, 2, FieldKind::Integer)
                | (PageKind::DataV2, 4, FieldKind::Integer) => self.encoding = thrift.integer()?,
                (PageKind::Data, 3, FieldKind::Integer) => self.levels = Some(thrift.integer()?),
                (PageKind::DataV2, 2, FieldKind::Integer) => self.nulls = thrift.size()?,
                (PageKind::DataV2, 5, FieldKind::Integer) => {
                    self.definition_bytes = thrift.size()?;
                }
                (PageKind::DataV2, 6, FieldKind::Integer) => {
                    self.repetition_bytes = thrift.size()?;
                }
                (PageKind::DataV2, 7, FieldKind::True | FieldKind::False) => {
                    self.is_packed = found == FieldKind::True;
                }
                (_, _, found) => thrift.skip(found)?,
            }
            last = number;
        }
        Ok(())
    }
}

/// Unpacks a page of exactly `length` bytes. A longer one is refused before it is unpacked
/// completely.
fn unpack(codec: CompressionCodec, packed: Vec<u8>, length: usize) -> Result<Vec<u8>> {
    let unpacked = match codec {
        CompressionCodec::UNCOMPRESSED => packed,
        CompressionCodec::SNAPPY => {
            let promised = snap::raw::decompress_len(&packed).map_err(damaged)?;
            if promised != length {
                return wrong_length(promised, length);
            }
            snap::raw::Decoder::new().decompress_vec(&packed).map_err(damaged)?
        }
        CompressionCodec::GZIP => up_to(MultiGzDecoder::new(&packed[..]), length)?,
        CompressionCodec::ZSTD => {
            up_to(zstd::Decoder::with_buffer(&packed[..]).map_err(damaged)?, length)?
        }
        other => return bad(format!("pages packed as {other:?}, expected {CODECS}")),
    };
    if unpacked.len() == length { Ok(unpacked) } else { wrong_length(unpacked.len(), length) }
}

/// Reads at most one byte more than promised. Memory grows with the bytes that arrive.
fn up_to(decoder: impl Read, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(1 << 20));
    decoder.take(length as u64 + 1).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

/// Counts values in PLAIN: each is a length of four bytes and then that many bytes.
fn count(mut values: &[u8]) -> Result<usize> {
    let mut count = 0;
    while let Some((length, rest)) = values.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(rest) = rest.get(length..) else {
            return bad(format!("a value of {length} bytes where {} are left", rest.len()));
        };
        (values, count) = (rest, count + 1);
    }
    if values.is_empty() {
        Ok(count)
    } else {
        bad(format!("{} bytes that are no value", values.len()))
    }
}

fn wrong_length<T>(found: usize, expected: usize) -> Result<T> {
    bad(format!("a page that unpacks to {found} bytes or more, expected {expected}"))
}

/// The supported encodings of text. Others can grow without limit, or hold no text.
fn encoding(code: i64) -> Result<Encoding> {
    match code {
        0 => Ok(Encoding::PLAIN),
        2 => Ok(Encoding::PLAIN_DICTIONARY),
        6 => Ok(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        8 => Ok(Encoding::RLE_DICTIONARY),
        7 => {
            bad("values encoded as DELTA_BYTE_ARRAY, expected PLAIN, a dictionary or DELTA_LENGTH_BYTE_ARRAY"
                .into())
        }
        other => bad(format!("values in encoding {other}, expected 0, 2, 6 or 8")),
    }
}

fn damaged(error: impl std::fmt::Display) -> ParquetError {
    ParquetError::General(format!("a page that cannot be unpacked ({error})"))
}

fn bad<T>(what: String) -> Result<T> {
    Err(ParquetError::General(what))
}
