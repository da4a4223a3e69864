//! The header of a safetensors file. Everything in it is checked before it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, ModelFault, Result};

/// Longest header that is read, in bytes; the limit of the format.
pub(super) const HEADER_LIMIT: u64 = 100_000_000;

/// The place and type of one tensor in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredTensor {
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    /// Range of bytes in the file, counted with the header.
    pub(super) range: Range<usize>,
}

/// Reads and checks the header of a whole file.
pub(super) fn parse(path: &Path, file: &[u8]) -> Result<BTreeMap<String, StoredTensor>> {
    let (start, json) = header_bytes(path, file)?;
    let not_json = |reason| {
        Error::from(ModelFault::Json {
            path: path.to_path_buf(),
            what: "a safetensors header",
            reason,
        })
    };
    let tensors: Tensors =
        serde_json::from_slice(json).map_err(|error| not_json(error.to_string()))?;
    let data = (file.len() - start) as u64;
    for (name, stated) in &tensors.0 {
        check_size(path, name, stated, data)?;
    }
    let end = check_layout(path, &tensors.0, data)?;
    if end != data {
        // Every tensor has the size of its shape and follows the previous one, so the length of the
        // file is wrong.
        let (found, expected) = (file.len() as u64, end.saturating_add(start as u64));
        return Err(Error::from(ModelFault::FileLength {
            path: path.to_path_buf(),
            found,
            expected,
        }));
    }
    let mut entries = BTreeMap::new();
    for (name, stated) in tensors.0 {
        let [begin, end] = stated.data_offsets.map(|offset| start + offset as usize);
        let shape = stated.shape.iter().map(|&side| side as usize).collect();
        let entry = StoredTensor { dtype: stated.dtype, shape, range: begin..end };
        if entries.insert(name.clone(), entry).is_some() {
            return Err(not_json(format!("it names `{}` twice", shown(&name))));
        }
    }
    Ok(entries)
}

/// A name from a file, escaped and cut for a terminal.
pub(crate) fn shown(name: &str) -> String {
    // Escaped, so that a hostile name cannot send control characters.
    let mut text: String = name.escape_debug().take(120).collect();
    if text.len() < name.len() {
        text.push_str("...");
    }
    text
}

/// The position of the data, and the JSON before it.
fn header_bytes<'a>(path: &Path, file: &'a [u8]) -> Result<(usize, &'a [u8])> {
    let length = file.len() as u64;
    let Some(stated) = file.first_chunk::<8>() else {
        return Err(Error::from(ModelFault::FileLength {
            path: path.to_path_buf(),
            found: length,
            expected: 8,
        }));
    };
    let stated = u64::from_le_bytes(*stated);
    // The file has at least the 8 bytes that were just read.
    let limit = HEADER_LIMIT.min(length - 8);
    if !(2..=limit).contains(&stated) {
        return Err(Error::from(ModelFault::HeaderLength {
            path: path.to_path_buf(),
            found: stated,
            limit,
        }));
    }
    let end = 8 + stated as usize;
    Ok((end, &file[8..end]))
}

/// Checks that a tensor claims as many bytes as its shape needs.
fn check_size(path: &Path, name: &str, stated: &Stated, data: u64) -> Result<()> {
    let [start, end] = stated.data_offsets;
    if end < start {
        return refuse(path, name, stated.data_offsets, "which end before they begin".into());
    }
    let Some(size) = element_size(&stated.dtype) else {
        // An unknown type is refused by name only if a model asks for this tensor.
        return Ok(());
    };
    let needed = stated.shape.iter().try_fold(size, |product, &side| product.checked_mul(side));
    let outside =
        if end > data { format!(", and the data has {data} bytes") } else { String::new() };
    match needed {
        Some(needed) if needed == end - start && usize::try_from(needed).is_ok() => Ok(()),
        Some(needed) => {
            let reason = format!(
                "expected {needed} bytes for {:?} of {}{outside}",
                stated.shape, stated.dtype
            );
            refuse(path, name, stated.data_offsets, reason)
        }
        None => {
            let reason = format!("but its {} dimensions multiply past 64 bits", stated.shape.len());
            refuse(path, name, stated.data_offsets, reason)
        }
    }
}

/// Checks that tensors cover the data without holes and overlaps. Returns the end of the last one.
fn check_layout(path: &Path, tensors: &[(String, Stated)], data: u64) -> Result<u64> {
    let mut order: Vec<_> =
        tensors.iter().map(|(name, stated)| (stated.data_offsets, name)).collect();
    // Sorted by offset, so that each tensor is compared with the one before.
    order.sort_unstable();
    let mut before = ([0, 0], "");
    for (offsets, name) in order {
        let ([other_start, other_end], other) = before;
        if offsets[0] < other_end {
            let reason = format!("which overlap `{}` at {other_start}..{other_end}", shown(other));
            return refuse(path, name, offsets, reason);
        }
        if offsets[0] > other_end {
            let outside = if offsets[1] > data {
                format!("leave the data of {data} bytes and ")
            } else {
                String::new()
            };
            return refuse(
                path,
                name,
                offsets,
                format!("which {outside}follow a hole that begins at {other_end}"),
            );
        }
        before = (offsets, name);
    }
    Ok(before.0[1])
}

fn refuse<T>(path: &Path, tensor: &str, [start, end]: [u64; 2], reason: String) -> Result<T> {
    Err(Error::from(ModelFault::Offsets {
        path: path.to_path_buf(),
        tensor: shown(tensor),
        start,
        end,
        reason,
    }))
}

/// Bytes of one element, for every type of the format that fills whole bytes.
fn element_size(dtype: &str) -> Option<u64> {
    match dtype {
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => Some(1),
        "U16" | "I16" | "F16" | "BF16" => Some(2),
        "U32" | "I32" | "F32" => Some(4),
        "U64" | "I64" | "F64" | "C64" => Some(8),
        _ => None,
    }
}

/// One tensor as stated in the header.
#[derive(Deserialize)]
struct Stated {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// All tensors in the order of the file. Names that occur twice are kept.
struct Tensors(Vec<(String, Stated)>);

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Tensors;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Tensors, A::Error> {
                // A list, because a map would silently drop a name that occurs twice.
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Tensors(tensors))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
