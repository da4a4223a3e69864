//! Finds the file of each tensor: one `model.safetensors`, or the shards that an index names.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::foreign::{self, Foreign};
use crate::error::{Error, ModelFault, Result};
use crate::safetensors::{SafeTensors, shown};

/// Longest `config.json` or index that is read, in bytes.
pub(super) const JSON_LIMIT: u64 = 64 << 20;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The opened weight files of a folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    files: Vec<SafeTensors>,
    /// The file of each tensor, as an index into `files`.
    places: BTreeMap<String, usize>,
    /// The name under which a tensor is stored, where that is not its own.
    renamed: BTreeMap<String, String>,
    /// Differences between index and shards that do not hide a tensor of the index.
    pub(super) odd: Odd,
}

/// Problems of the weight files, one sentence each.
#[derive(Debug, Default)]
pub(super) struct Odd {
    /// The numbers of a tensor are ambiguous.
    pub(super) unclear: Vec<String>,
    /// A wrong total, or a file left behind.
    pub(super) harmless: Vec<String>,
}

impl Files {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        // If both exist, transformers loads the single file.
        if folder.join(SINGLE).exists() {
            let mut files = Self::single(folder)?;
            if folder.join(INDEX).exists() {
                files
                    .odd
                    .harmless
                    .push(format!("`{INDEX}` is ignored: `{SINGLE}` stands beside it"));
            }
            return Ok(files);
        }
        if folder.join(INDEX).exists() {
            return Self::sharded(folder);
        }
        Err(no_weights(folder))
    }

    /// The file that holds a tensor.
    pub(super) fn holding(&self, tensor: &str) -> Result<&SafeTensors> {
        let place = self.places.get(tensor).ok_or_else(|| {
            Error::from(ModelFault::MissingTensor {
                path: if self.files.len() == 1 {
                    self.files[0].path().to_path_buf()
                } else {
                    self.folder.clone()
                },
                tensor: shown(tensor),
            })
        })?;
        Ok(&self.files[*place])
    }

    /// Whether a tensor is stored.
    pub(super) fn has(&self, tensor: &str) -> bool {
        self.places.contains_key(tensor)
    }

    /// Lets a stored tensor be read under another name too.
    pub(super) fn also_named(&mut self, stored: &str, name: &str) {
        if let Some(&place) = self.places.get(stored) {
            self.places.insert(name.to_owned(), place);
            self.renamed.insert(name.to_owned(), stored.to_owned());
        }
    }

    /// The name under which a tensor lies in its file.
    pub(super) fn stored<'a>(&'a self, tensor: &'a str) -> &'a str {
        self.renamed.get(tensor).map_or(tensor, String::as_str)
    }

    /// Every tensor of every file, sorted within its file.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().flat_map(|file| file.names().map(|name| (name, file.path())))
    }

    fn single(folder: &Path) -> Result<Self> {
        let file = SafeTensors::open(&folder.join(SINGLE))?;
        let places = file.names().map(|name| (name.to_owned(), 0)).collect();
        Ok(Self {
            folder: folder.to_path_buf(),
            files: vec![file],
            places,
            renamed: BTreeMap::new(),
            odd: Odd::default(),
        })
    }

    fn sharded(folder: &Path) -> Result<Self> {
        let index_path = folder.join(INDEX);
        let index: Index =
            serde_json::from_slice(&disk::read(&index_path, JSON_LIMIT)?).map_err(|error| {
                Error::from(ModelFault::Json {
                    path: index_path.clone(),
                    what: "an index of shards",
                    reason: error.to_string(),
                })
            })?;
        let mut shards = BTreeMap::new();
        let mut files: Vec<SafeTensors> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (tensor, shard) in index.weight_map {
            let place = match shards.get(&shard) {
                Some(&place) => place,
                None => {
                    let path = shard_path(folder, &shard)?;
                    if !path.exists() {
                        return Err(Error::from(ModelFault::MissingShard {
                            path: index_path,
                            shard: shown(&shard),
                        }));
                    }
                    files.push(SafeTensors::open(&path)?);
                    shards.insert(shard, files.len() - 1);
                    files.len() - 1
                }
            };
            let file = &files[place];
            if !file.contains(&tensor) {
                return Err(Error::from(ModelFault::NotInShard {
                    path: index_path,
                    tensor: shown(&tensor),
                    shard: file.path().to_path_buf(),
                }));
            }
            places.insert(tensor, place);
        }
        let mut odd = disagreements(&files, &places, &index.metadata.unwrap_or_default());
        odd.harmless.extend(left_behind(folder, &shards));
        Ok(Self { folder: folder.to_path_buf(), files, places, renamed: BTreeMap::new(), odd })
    }
}

/// Differences between the index and the shards that it names.
fn disagreements(
    files: &[SafeTensors],
    places: &BTreeMap<String, usize>,
    metadata: &Metadata,
) -> Odd {
    let mut odd = Odd::default();
    let mut total = 0;
    for (at, file) in files.iter().enumerate() {
        for name in file.names() {
            total += file.bytes(name);
            let path = file.path().display();
            match places.get(name) {
                Some(&place) if place == at => {}
                Some(&place) => odd.unclear.push(format!(
                    "`{}` lies in `{path}` as well as in `{}`, where the index has it",
                    shown(name),
                    files[place].path().display()
                )),
                None => odd.unclear.push(format!(
                    "`{}` lies in `{path}`, where the index does not have it",
                    shown(name)
                )),
            }
        }
    }
    if let Some(found) = metadata.total_size.filter(|&found| found != total) {
        odd.harmless
            .push(format!("`{INDEX}` says that tensors take {found} bytes, they take {total}"));
    }
    odd
}

/// Shards that the index does not name.
fn left_behind(folder: &Path, named: &BTreeMap<String, usize>) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            name.starts_with("model-")
                && name.ends_with(".safetensors")
                && !named.contains_key(name)
        })
        .collect();
    names.sort_unstable();
    names.iter().map(|name| format!("`{}` is no shard that the index names", shown(name))).collect()
}

#[derive(Deserialize)]
struct Index {
    /// Some programs write none, or null.
    #[serde(default)]
    metadata: Option<Metadata>,
    weight_map: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    /// Bytes of all tensors.
    #[serde(default, deserialize_with = "whole")]
    total_size: Option<u64>,
}

/// An integer, also one written as a float. Anything else becomes `None`, since the total is not
/// needed to read the weights.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value
        .as_u64()
        .or_else(|| value.as_f64().filter(|size| size.fract() == 0.0).map(|size| size as u64)))
}

fn shard_path(folder: &Path, shard: &str) -> Result<PathBuf> {
    let mut components = Path::new(shard).components();
    let plain =
        matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    // A plain name may be a link that leads out of the folder. The cache of the hub keeps its files
    // that way, and links are made by the user. Paths are checked because they come from whoever
    // wrote the index.
    if plain && !shard.contains('\0') {
        Ok(folder.join(shard))
    } else {
        Ok(disk::inside(folder, shard)?)
    }
}

fn no_weights(folder: &Path) -> Error {
    let path = folder.to_path_buf();
    // An adapter and a file of llama.cpp often lie beside a copy of the model's `config.json`.
    if let Some(found) = foreign::folder(folder).filter(|found| *found != Foreign::Original) {
        return Error::from(ModelFault::Foreign { path, found });
    }
    // A checkpoint of the Trainer also holds `optimizer.pt` and `training_args.bin`, which are not
    // weights.
    let pickled = |name: &str| {
        ["pytorch_model", "model", "consolidated"].iter().any(|begin| name.starts_with(begin))
            && [".bin", ".pt", ".pth", ".bin.index.json"].iter().any(|end| name.ends_with(end))
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| pickled(name))
        .collect();
    names.sort_unstable();
    match names.into_iter().next() {
        Some(file) => Error::from(ModelFault::PickleWeights { path, file: shown(&file) }),
        None => Error::from(ModelFault::NoWeights { path }),
    }
}
