//! `trainer_state.json`, as the Trainer of Hugging Face transformers writes it: an object with a
//! list `log_history` of what was logged.

use std::fmt;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::json::{Row, Tolerant, whole};
use crate::import::reader::Import;
use crate::import::source::{Head, entries, name_of, open};
use crate::import::spot::Spot;

pub(in crate::import) struct TrainerState;

const NAME: &str = "trainer-state";
const FILE: &str = "trainer_state.json";

impl Import for TrainerState {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "trainer_state.json of Hugging Face transformers"
    }

    fn recognises(&self, head: &Head) -> bool {
        if head.is_folder {
            return in_folder(&head.path).is_some();
        }
        let text = head.text();
        text.trim_start().starts_with('{') && text.contains("\"log_history\"")
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let found = path.is_dir().then(|| in_folder(path)).flatten();
        let path = found.as_deref().unwrap_or(path);
        // Buffered twice: the parser takes single bytes.
        let file = BufReader::new(Tolerant::new(BufReader::with_capacity(64 << 10, open(path)?)));
        let mut parser = serde_json::Deserializer::from_reader(file);
        let mut failure = None;
        let read = State { path, into, failure: &mut failure }.deserialize(&mut parser);
        // What a row is refused for is worth more than where the parser stopped.
        if let Some(failure) = failure {
            return Err(failure);
        }
        let damaged = |why: String| Spot { path, format: NAME }.damaged("", why);
        let found = read.map_err(|error| damaged(error.to_string()))?;
        if !found {
            return Err(damaged("it has no list `log_history`".to_owned()));
        }
        Ok(())
    }
}

/// The state in an output folder of the Trainer, or in the last checkpoint of one.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let own = folder.join(FILE);
    if own.is_file() {
        return Some(own);
    }
    let step = |path: &PathBuf| name_of(path).strip_prefix("checkpoint-")?.parse::<u64>().ok();
    let checkpoints = entries(folder).ok()?.into_iter();
    let last = checkpoints.filter_map(|path| Some((step(&path)?, path.join(FILE))));
    last.filter(|(_, file)| fs::metadata(file).is_ok_and(|data| data.is_file()))
        .max()
        .map(|(_, file)| file)
}

/// The whole object. Gives whether it has a log.
struct State<'a> {
    path: &'a Path,
    into: &'a mut Gathered,
    failure: &'a mut Option<crate::Error>,
}

impl<'de> DeserializeSeed<'de> for State<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for State<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `log_history`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "log_history" => {
                    let (path, into) = (self.path, &mut *self.into);
                    map.next_value_seed(History { path, into, failure: self.failure })?;
                    found = true;
                }
                "train_batch_size" => {
                    let size = map.next_value::<Option<f64>>()?.and_then(whole);
                    self.into.stated().batch = size.filter(|size| *size > 0);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The list of what was logged.
struct History<'a> {
    path: &'a Path,
    into: &'a mut Gathered,
    failure: &'a mut Option<crate::Error>,
}

impl<'de> DeserializeSeed<'de> for History<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for History<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of what was logged")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let mut number = 0_u64;
        while let Some(row) = list.next_element::<Row>()? {
            number += 1;
            // The summary at the end: its `train_loss` is a mean over the whole run.
            if row.has("train_runtime") {
                continue;
            }
            let step = row.number("step").and_then(whole);
            let taken = match step {
                Some(step) => self.into.row(step, &row.numbers()),
                None => Err(Spot { path: self.path, format: NAME }
                    .damaged(&format!("entry {number} of `log_history`"), "it has no `step`")),
            };
            if let Err(failure) = taken {
                *self.failure = Some(failure);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
