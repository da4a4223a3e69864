//! The header of a model file, and the place of each tensor after it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::json;
use shape::config::{ModelConfig, RawConfig};
use shape::family::LLAMA;
use shape::tensors::{self, Role, TensorSpec};

use crate::error::{Error, ModelFault, Result};

/// `ak42` as the exporter writes it on a little-endian machine, and as programs that write the four
/// letters do.
const MAGIC: [[u8; 4]; 2] = [*b"24ka", *b"ak42"];

/// Length of the header of version 1, with its padding.
const HEADER_OF_VERSION_1: usize = 256;

/// A configuration and the place of each of its tensors in the file.
pub(super) struct FileLayout {
    pub(super) config: ModelConfig,
    /// First byte of each tensor, by name.
    places: BTreeMap<String, usize>,
}

impl FileLayout {
    /// Reads the header. The file must have exactly the length that follows from it.
    pub(super) fn read(path: &Path, file: &[u8]) -> Result<Self> {
        let header = FileHeader::read(path, file)?;
        let config = header.config(path)?;
        let mut places = BTreeMap::new();
        let mut end = header.length as u64;
        let specs = tensors::tensors(&config);
        let too_large = || refuse(path, "its header multiplies past 64 bits");
        for part in header.order {
            match part {
                FilePart::Tensors(role) => {
                    for spec in specs.iter().filter(|spec| spec.role == *role) {
                        // The file's length is checked below, before this is used, so it fits a
                        // usize.
                        places.insert(spec.name.clone(), end as usize);
                        end = end.checked_add(4 * spec.len() as u64).ok_or_else(too_large)?;
                    }
                }
                // Skips the table of cosines and sines, half a head each per position. It is
                // computed again.
                FilePart::Rotary => {
                    let numbers = (header.context as u64).checked_mul(config.head_dim() as u64);
                    let bytes = numbers.and_then(|numbers| numbers.checked_mul(4));
                    end = bytes.and_then(|bytes| end.checked_add(bytes)).ok_or_else(too_large)?;
                }
            }
        }
        if end != file.len() as u64 {
            let found = file.len() as u64;
            return Err(Error::from(ModelFault::FileLength {
                path: path.to_path_buf(),
                found,
                expected: end,
            }));
        }
        Ok(Self { config, places })
    }

    /// The bytes of a tensor in the file.
    pub(super) fn range(&self, spec: &TensorSpec) -> Range<usize> {
        let start = self.places[&spec.name];
        start..start + 4 * spec.len()
    }
}

enum FilePart {
    /// The tensors of this role, block after block.
    Tensors(Role),
    Rotary,
}

// Down precedes up, because llama2.c numbers them: w1 is gate, w2 down, w3 up.
const FIRST: &[FilePart] = &[
    FilePart::Tensors(Role::Embedding),
    FilePart::Tensors(Role::AttentionNorm),
    FilePart::Tensors(Role::Query),
    FilePart::Tensors(Role::Key),
    FilePart::Tensors(Role::Value),
    FilePart::Tensors(Role::AttentionOutput),
    FilePart::Tensors(Role::FeedForwardNorm),
    FilePart::Tensors(Role::Gate),
    FilePart::Tensors(Role::Down),
    FilePart::Tensors(Role::Up),
    FilePart::Tensors(Role::FinalNorm),
    FilePart::Rotary,
    FilePart::Tensors(Role::Head),
];

const VERSION_1: &[FilePart] = &[
    FilePart::Tensors(Role::AttentionNorm),
    FilePart::Tensors(Role::FeedForwardNorm),
    FilePart::Tensors(Role::FinalNorm),
    FilePart::Tensors(Role::Embedding),
    FilePart::Tensors(Role::Query),
    FilePart::Tensors(Role::Key),
    FilePart::Tensors(Role::Value),
    FilePart::Tensors(Role::AttentionOutput),
    FilePart::Tensors(Role::Gate),
    FilePart::Tensors(Role::Down),
    FilePart::Tensors(Role::Up),
    FilePart::Tensors(Role::Head),
];

/// The seven numbers, and what follows from the version.
struct FileHeader {
    width: i32,
    feed_forward: i32,
    blocks: i32,
    heads: i32,
    key_value_heads: i32,
    vocabulary: i32,
    context: i32,
    tied: bool,
    /// Bytes before the first tensor.
    length: usize,
    order: &'static [FilePart],
}

impl FileHeader {
    fn read(path: &Path, file: &[u8]) -> Result<Self> {
        if !file.first_chunk().is_some_and(|magic| MAGIC.contains(magic)) {
            let numbers = numbers(path, file, 0)?;
            // In the first layout, a negative vocabulary means that the head is not the embedding.
            let vocabulary = numbers[5].checked_abs().unwrap_or(0);
            return Ok(Self::new(numbers, vocabulary, numbers[5] > 0, 28, FIRST));
        }
        if file.len() < HEADER_OF_VERSION_1 {
            let (found, expected) = (file.len() as u64, HEADER_OF_VERSION_1 as u64);
            return Err(Error::from(ModelFault::FileLength {
                path: path.to_path_buf(),
                found,
                expected,
            }));
        }
        let version = i32::from_le_bytes([file[4], file[5], file[6], file[7]]);
        if version != 1 {
            let reason =
                format!("version {version} is not read, only 1 and the one without a number");
            return Err(refuse(path, &reason));
        }
        let numbers = numbers(path, file, 8)?;
        let tied = match file[36] {
            0 => false,
            1 => true,
            other => {
                return Err(refuse(
                    path,
                    &format!("its flag for a shared head is {other}, expected 0 or 1"),
                ));
            }
        };
        Ok(Self::new(numbers, numbers[5], tied, HEADER_OF_VERSION_1, VERSION_1))
    }

    fn new(
        numbers: [i32; 7],
        vocabulary: i32,
        tied: bool,
        length: usize,
        order: &'static [FilePart],
    ) -> Self {
        let [width, feed_forward, blocks, heads, key_value_heads, _, context] = numbers;
        Self {
            width,
            feed_forward,
            blocks,
            heads,
            key_value_heads,
            vocabulary,
            context,
            tied,
            length,
            order,
        }
    }

    /// The configuration, with the checks of any other.
    fn config(&self, path: &Path) -> Result<ModelConfig> {
        let fields = json!({
            "architectures": [LLAMA.architecture],
            "hidden_size": self.width,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.blocks,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "tie_word_embeddings": self.tied,
            // Both are constants of llama2.c.
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "bos_token_id": super::tokenizer::BEGIN,
        });
        let raw = RawConfig::from_json(fields.to_string().as_bytes(), path)?;
        Ok(ModelConfig::from_raw(&raw)?)
    }
}

fn numbers(path: &Path, file: &[u8], at: usize) -> Result<[i32; 7]> {
    let Some(bytes) = file.get(at..at + 28) else {
        let (found, expected) = (file.len() as u64, at as u64 + 28);
        return Err(Error::from(ModelFault::FileLength {
            path: path.to_path_buf(),
            found,
            expected,
        }));
    };
    let mut numbers = [0; 7];
    for (number, four) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = i32::from_le_bytes(*four);
    }
    Ok(numbers)
}

fn refuse(path: &Path, reason: &str) -> Error {
    Error::from(ModelFault::Llama2c {
        path: path.to_path_buf(),
        what: "model",
        reason: reason.to_owned(),
    })
}
