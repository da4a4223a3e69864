//! Hints: what the user can do about an error.

use std::path::Path;

use model::folder::Foreign;
use regrow::ErrorKind;
use regrow::count::grouped;
use shape::catalog;
use store::import::ImportError;

use super::problem::HintedError;

/// The text of an error, with options replaced by their flags. The library does not know flags.
pub(super) fn with_flags(error: &(dyn std::error::Error + 'static)) -> String {
    let text = error.to_string();
    match error.downcast_ref::<regrow::Error>().and_then(regrow::Error::option) {
        // Only the first mention: later ones may quote the user's own text.
        Some(option) => text.replacen(&format!("`{option}`"), &format!("`{}`", flag(option)), 1),
        None => text,
    }
}

fn flag(option: &str) -> String {
    format!("--{}", option.replace('_', "-"))
}

/// The hint of an error: its own, or the one for its kind. The first error in the chain that has
/// one decides.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(hinted) = cause.downcast_ref::<HintedError>() {
        return Some(hinted.hint().to_owned());
    }
    if let Some(error) = cause.downcast_ref::<regrow::Error>() {
        // A wrapped error of another crate may have a hint of its own.
        return of_kind(error).or_else(|| of_cause(error.get_ref()?));
    }
    if let Some(error) = cause.downcast_ref::<law::Error>() {
        return match error.kind() {
            law::ErrorKind::SeveralGroups => {
                Some("name one with `--series` and `--method`, and with `--objective` if there are several".into())
            }
            law::ErrorKind::OtherFamily => {
                Some("to ask this law all the same, name its series with `--series`".into())
            }
            law::ErrorKind::ZeroedUnknown => Some(
                "say it with `--zeroed` or `--removed`, or give the points a column `zeroed` of `true` or `false` and \
                 fit again"
                    .into(),
            ),
            law::ErrorKind::Unpriced => Some(
                "name the device with `--device-peak h100` or its operations a second, and for a budget of money also \
                 `--gpu-hour-price`"
                    .into(),
            ),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<model::Error>() {
        // A transparent error does not appear in the chain as its own cause, so it is looked up
        // here.
        return of_model(error).map(str::to_owned).or_else(|| error.passed_on().and_then(of_cause));
    }
    if let Some(error) = cause.downcast_ref::<prune::Error>() {
        return match error.refusal() {
            Some(refusal) => of_refusal(refusal).map(str::to_owned),
            None => error.passed_on().and_then(of_cause),
        };
    }
    if let Some(error) = cause.downcast_ref::<shape::legal::Illegal>() {
        return match error {
            shape::legal::Illegal::NoRateNear { .. } => of_refusal(prune::Refused::NoRateNear),
            shape::legal::Illegal::NoShapeNear { .. } => of_refusal(prune::Refused::NoShapeNear),
            _ => None,
        }
        .map(str::to_owned);
    }
    if let Some(error) = cause.downcast_ref::<train::Error>() {
        let hint = match error {
            train::Error::NotFinite { .. } => {
                "start again from the last checkpoint's weights with a lower `--learning-rate` or a longer `--warmup`"
            }
            train::Error::Diverged { .. } => {
                "train again with a lower `--learning-rate` or a longer `--warmup`, in a new `--out`"
            }
            train::Error::ShortCorpus { .. } => "give more text, or a shorter `--context`",
            _ => return error.passed_on().and_then(of_cause),
        };
        return Some(hint.to_owned());
    }
    if let Some(error) = cause.downcast_ref::<text::Error>() {
        return of_text(error);
    }
    if let Some(error) = cause.downcast_ref::<store::Error>() {
        if let Some(error) = error.import() {
            return of_import(error);
        }
        return match error.as_disk() {
            Some(inner) => of_cause(inner),
            None => error.is_other_spec().then(|| {
                "give the run's own values to resume it, or another `--out` for a new run".into()
            }),
        };
    }
    let error = cause.downcast_ref::<disk::Error>()?;
    if let Some(path) = error.missing() {
        return of_missing(path);
    }
    let hint = if error.is_exists() {
        "choose another `--out`, or replace it with `--force`"
    } else if error.is_not_ours() {
        "it stays as it is: move it away, or choose another `--out`"
    } else if error.is_input() {
        "it stays as it is: choose another `--out`"
    } else if error.is_locked() {
        "wait until it ends, or end it; a lock goes with its process"
    } else if error.is_pointer() {
        "the files were cloned without their contents: run `git lfs pull` in that folder"
    } else if error.is_full() {
        "make room there and give the command again, `regrow train` with `--resume`"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// The hint for a file that is not there: the name of a public model is no folder with weights.
fn of_missing(path: &Path) -> Option<String> {
    let folder = path.parent()?.to_str()?;
    let known = catalog::find(folder).filter(|known| known.name().eq_ignore_ascii_case(folder))?;
    Some(format!(
        "`{folder}` alone names a shape without weights, which `regrow prune --dry-run`, `plan` and `design` take; for \
         its weights name a model folder, or `{}` to fetch them",
        known.repository()
    ))
}

/// The hint for a kind of library error.
fn of_kind(error: &regrow::Error) -> Option<String> {
    use ErrorKind as Of;
    let hint = match error.kind() {
        Of::RunExists => {
            "resume it with `--resume`, replace it with `--force`, or choose another `--out`"
        }
        Of::NothingHeldOut => "tokenise the text again with a larger `--heldout-share`",
        Of::TooFewPositions { longest } => {
            let flag = error.option().map_or_else(String::new, flag);
            return Some(format!(
                "give `{flag} {longest}` or less; the model was never taught where later tokens stand"
            ));
        }
        Of::TooLarge { fits: Some((size, false)), .. } => {
            return Some(format!(
                "`--micro-batch {size}` fits, with gradients of the same batch added up"
            ));
        }
        Of::TooLarge { fits: Some((size, true)), .. } => {
            return Some(format!(
                "`--micro-batch {size} --recompute` fits, with the same numbers and more time"
            ));
        }
        Of::TooLarge { fits: None, model } => {
            return Some(format!(
                "no micro-batch fits; the model alone takes {:.2} GB: prune more, shorten `--context`, or use a larger machine",
                *model as f64 / 1e9
            ));
        }
        Of::NoState => {
            "train the longer run in a new `--out`, with `--keep-checkpoint` if it may become longer still; or heal the model of \
             this run anew, as a run of its own"
        }
        Of::NoTime => "give a longer `--time-limit`; what was there before is kept",
        Of::NoTorch { interpreter, package: None } => {
            return Some(format!(
                "install Python 3.10 or newer, or name another interpreter than `{interpreter}` with `--python` or `REGROW_PYTHON`"
            ));
        }
        Of::NoTorch { interpreter, package: Some(_) } => {
            return Some(format!(
                "`{interpreter} -m pip install ./python/regrow_torch` in regrow's source brings it with the right torch and \
                 transformers; or name another interpreter with `--python` or `REGROW_PYTHON`"
            ));
        }
        Of::NotBelieved => {
            "nothing of the run is kept but its log; compare the versions of torch and transformers with those that \
             `python/regrow_torch/pyproject.toml` pins"
        }
        Of::NoTokenizer => "copy the tokenizer's `tokenizer.json` into the model folder",
        Of::UnknownModel => {
            let names: Vec<&str> = catalog::entries().map(|entry| entry.name()).collect();
            return Some(format!("the names are {}", names.join(", ")));
        }
        Of::NotALaw => "make one with `regrow fit POINTS --out law.json`",
        Of::NotASweepFolder => "it holds no sweep; choose another `--out`",
        Of::NoSlurm => {
            "load Slurm's module, name the folder of its commands as `commands` of `executor`, or use `--executor local`"
        }
        Of::TextTooShort { bytes } => {
            let megabytes = *bytes as f64 / 1e6;
            return Some(format!(
                "some {megabytes:.1} MB of text like this are enough; or ask for fewer tokens in the recipe"
            ));
        }
        Of::TooFewHeldOut { documents, share } => {
            let documents = grouped(*documents);
            return Some(format!(
                "the text has {documents} documents and `heldout_share` is {share}: more documents, or a larger share"
            ));
        }
        Of::HubRefuses => {
            "accept the model's licence on its page, and set `HF_TOKEN` to a token that may read it"
        }
        Of::NotOnHub => "check the name and the revision; a private model needs `HF_TOKEN`",
        Of::NoSafetensors => "only safetensors are read: pickle files can run code",
        Of::DamagedDownload => {
            "the download was damaged on its way and is thrown away; fetch it again"
        }
        Of::NoAnswer => {
            "run the same command again: it resumes; on a slow line set `HF_HUB_DOWNLOAD_TIMEOUT` and `HF_HUB_ETAG_TIMEOUT` to more seconds"
        }
        Of::DamagedCache => "unset `HF_HUB_OFFLINE` to fetch it again",
        Of::NotInCache => "unset `HF_HUB_OFFLINE` to fetch it",
        Of::NoHub => "name a model folder, or build with the feature `hub`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The hint for a log that cannot be imported.
fn of_import(error: &ImportError) -> Option<String> {
    use ImportError as Of;
    let hint = match error {
        Of::Unknown { .. } => {
            "name the format with `--format`; a table or lines of JSON also need `--map tokens=NAME,loss=NAME`"
        }
        Of::Mixed { .. } => "import each run by itself, into a folder of its own",
        Of::SeveralRuns { .. } | Of::NoSuchRun { .. } => "name the run that is meant with `--run`",
        Of::NoSuchName { .. } => "give `--map` a name that the log holds",
        Of::NoSteps { .. } => {
            "name the steps with `--map step=NAME`, or export the chart against steps"
        }
        Of::NoLoss { .. } => "name the held-out loss with `--map loss=NAME`",
        Of::OnlyTraining { name, .. } => {
            return Some(format!(
                "compare training losses with `--training-loss`; or say with `--map loss={name}` that it is held out"
            ));
        }
        Of::SeveralLosses { kind, names } => {
            let word = if *kind == "training" { "training_loss" } else { "loss" };
            let name = names.first()?;
            return Some(format!("say which one counts: `--map '{word}={name}'`"));
        }
        Of::OtherUnit { name, unit, .. } => {
            return Some(format!(
                "turn it into nats with `--map 'loss={name}' --unit {unit}`, if it is of the same tokens"
            ));
        }
        Of::NotALoss { .. } | Of::NothingFinite { .. } => {
            "name another column with `--map loss=NAME`"
        }
        Of::NoTokens { .. } => {
            "give `--tokens-per-step`, or `--batch`, `--accumulation`, `--processes` and `--length`, as far as the \
             log does not state them"
        }
        Of::TokensEnd { .. } | Of::TokensFall { .. } | Of::NotTokens { .. } => {
            "mend the log, or give `--tokens-per-step`"
        }
        Of::TokensStay { name, .. } => {
            return Some(format!("if they are those of one step, say `--map step_tokens={name}`"));
        }
        Of::StepsGoBack { .. } => "sort the log by step, and give one run at a time",
        Of::NoSqlite { .. } => "build with the feature `sqlite`",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_model(error: &model::Error) -> Option<&'static str> {
    if error.is_pickle() {
        return Some(
            "pickle files can run code; convert them to safetensors where you trust them, for example with \
             `AutoModelForCausalLM.from_pretrained(OLD).save_pretrained(NEW, safe_serialization=True)`",
        );
    }
    if error.is_truncated() {
        return Some("the download or copy was probably cut short; fetch the file again");
    }
    if let Some(found) = error.foreign() {
        return Some(match found {
            Foreign::Adapter => {
                "merge it into its base first, for example with `merge_and_unload()` of PEFT and `save_pretrained`"
            }
            Foreign::Original => {
                "convert it first, for example with `convert_llama_weights_to_hf.py` of transformers, or fetch the \
                 Hugging Face version of the model"
            }
            Foreign::Gguf => {
                "fetch the model in safetensors; transformers can convert back with \
                 `AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE).save_pretrained(NEW)`"
            }
        });
    }
    if error.is_quantised() {
        return Some("fetch the model before quantisation, or save it dequantised in bf16 first");
    }
    error.is_missing_shard().then_some("fetch every file that the index names")
}

fn of_text(error: &text::Error) -> Option<String> {
    use text::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::Disk => return of_cause(error.disk()?),
        ErrorKind::OtherTokenizer => {
            "tokenise the text with the model's own: `regrow tokenize --tokenizer MODEL`"
        }
        ErrorKind::BrokenRow => {
            "name another field with `--field`, or leave such lines out with `regrow tokenize --skip-broken`"
        }
        ErrorKind::TextColumn => "name the column that holds the text with `--field`",
        // No encoding is advised here: a wrong one turns into wrong letters without an error.
        ErrorKind::NotUtf8 => {
            "fetch the file again if it should be UTF-8, or convert it from its own encoding with `iconv`; \
             `file --mime-encoding` often knows it"
        }
        ErrorKind::Encoding(name) => {
            return Some(format!("convert it with `iconv -f {name} -t UTF-8`"));
        }
        ErrorKind::PackedName(extension) => {
            return Some(format!("rename it so that its name ends in `{extension}`"));
        }
        ErrorKind::JsonLayout => {
            "write one object a line: `jq -c '.[]' OLD > NEW.jsonl` for a list, `jq -c . OLD > NEW.jsonl` for one object"
        }
        ErrorKind::NoText => {
            "unpack or convert it first; of a table, write one JSON object a row, with the text in the field `text`"
        }
        ErrorKind::Packing => {
            "fetch or pack the file again, and test it with `gzip -t` or `zstd -t`"
        }
        ErrorKind::TooLong => {
            "cut plain text into documents with `--documents blank-line` or `--separator`"
        }
        ErrorKind::BeginToken => "name a token of the vocabulary with `--begin-token`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The hint for a refused pruning.
fn of_refusal(refusal: prune::Refused) -> Option<&'static str> {
    use prune::Refused::*;
    Some(match refusal {
        NoRateNear => "ask for one of the legal rates; `regrow inspect` lists them all",
        NoShapeNear => {
            "ask for the nearest, allow smaller multiples, or let more parts become narrower"
        }
        NoCalibration => "name text with `--corpus` or `--text`",
        UnknownToken => "tokenise the text with the tokenizer of this model",
        TooFewTokens => "use a longer text, or fewer or shorter calibration sequences",
        NoRoom => "free some of the disk or name a folder on another",
        TooShort => "use a longer text or a smaller calibration length",
        NoMemory => "use fewer or shorter calibration sequences",
        Unclear => {
            "`regrow inspect` lists all of them; save the model anew with what it was trained with"
        }
        OtherBase => "name the model that the cut was decided on",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::problem::hinted;
    use super::*;

    #[test]
    fn a_hint_is_found_through_transparent_errors_and_contexts() {
        let exists = || disk::Error::exists(Path::new("out"));
        for error in [
            // The same error: bare, wrapped once, wrapped twice, and with a context.
            anyhow::Error::from(exists()),
            model::Error::from(exists()).into(),
            model::Error::from(text::Error::from(exists())).into(),
            anyhow::Error::from(store::Error::from(exists())).context("while making a run"),
        ] {
            assert!(hint(&error).unwrap().contains("`--force`"), "{error:#}");
        }
    }

    #[test]
    fn a_hint_of_its_own_goes_first_and_the_message_stays() {
        let error = hinted(disk::Error::exists(Path::new("out")), "wait");
        assert_eq!(hint(&error).unwrap(), "wait");
        assert_eq!(error.to_string(), "`out` already exists");
    }

    #[test]
    fn the_name_of_a_public_model_is_told_from_a_folder() {
        let missing = |path: &str| {
            let read = disk::read(Path::new(path), 9);
            hint(&read.unwrap_err().into())
        };
        let said = missing("Llama-3.1-8b/config.json").unwrap();
        assert!(said.contains("without weights") && said.contains("`meta-llama/Llama-3.1-8B`"));
        assert_eq!(missing("no-such-model/config.json"), None);
        assert_eq!(missing("/config.json"), None);
    }

    #[test]
    fn most_errors_have_no_hint() {
        assert_eq!(hint(&anyhow::anyhow!("no")), None);
    }
}
