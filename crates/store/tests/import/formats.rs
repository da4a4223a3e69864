//! Logs of other programs, written by them or as their sources print them, give the points that
//! another reader gives.

use std::fs;

use serde_json::Value;
#[cfg(not(feature = "sqlite"))]
use store::import::ImportError;
use store::import::{Asked, Log, Word};

use crate::workbench::{fixture, read, steps_of};

/// Holds the points of a log to those of the program's own reader, word by word.
fn agrees(log: &Log, points: &str) {
    let text = fs::read_to_string(fixture(&format!("{points}.points.json"))).unwrap();
    let expected: Vec<Value> = serde_json::from_str(&text).unwrap();
    // A learning rate alone, or tokens alone, make no point.
    let expected: Vec<&Value> = expected
        .iter()
        .filter(|point| point.get("loss").is_some() || point.get("eval_loss").is_some())
        .collect();
    let found: Vec<Value> =
        log.points().iter().map(|point| serde_json::to_value(point).unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{points}: {log:#?}");
    for (found, expected) in found.iter().zip(expected) {
        for (word, expected) in expected.as_object().unwrap() {
            assert_eq!(found[word].as_f64(), expected.as_f64(), "{points} {word}: {found}");
        }
    }
}

#[test]
fn ten_formats_give_the_points_of_their_own_readers() {
    let plain = || {
        let names = [(Word::Tokens, "seen"), (Word::HeldOut, "nats"), (Word::LearningRate, "rate")];
        names
            .into_iter()
            .fold(Asked::default(), |asked, (word, name)| asked.with_name(word, name.to_owned()))
    };
    let wandb = ["wandb_loss.csv", "wandb_rate.csv", "wandb_tokens.csv", "wandb_eval.csv"];
    let cases: Vec<(&str, &str, Vec<&str>, Asked)> = vec![
        ("trainer-state", "trainer_state", vec!["trainer_state.json"], Asked::default()),
        (
            "trainer-state",
            "trainer_state_wikitext",
            vec!["trainer_state_wikitext.json"],
            steps_of(4096),
        ),
        ("tensorboard", "tensorboard", vec!["tensorboard"], Asked::default()),
        ("tensorboard", "tensorboard_tensors", vec!["tensorboard_tensors"], Asked::default()),
        ("wandb", "wandb", wandb.to_vec(), Asked::default()),
        ("mlflow", "mlflow", vec!["mlflow"], Asked::default()),
        ("nemo", "nemo", vec!["nemo"], Asked::default()),
        ("nemo", "nemo", vec!["nemo/training.jsonl", "nemo/validation.jsonl"], Asked::default()),
        ("megatron", "megatron", vec!["megatron.log"], Asked::default()),
        ("composer", "composer", vec!["composer.log"], Asked::default()),
        ("torchtitan", "torchtitan", vec!["torchtitan.log"], steps_of(4096)),
        ("jsonl", "plain", vec!["plain.jsonl"], plain()),
    ];
    for (format, points, files, asked) in cases {
        let log = read(&files, &asked).unwrap_or_else(|error| panic!("{files:?}: {error}"));
        assert_eq!(log.format(), format, "{files:?}");
        assert_eq!(log.remarks(), [] as [&str; 0], "{files:?}");
        assert!(log.loss().is_held_out());
        agrees(&log, points);
    }
    // A table without steps: the rows are counted.
    let log = read(&["plain.csv"], &plain()).unwrap();
    assert_eq!(log.format(), "csv");
    let text = fs::read_to_string(fixture("plain.points.json")).unwrap();
    let expected: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(log.points().len(), expected.len());
    for (point, expected) in log.points().iter().zip(&expected) {
        assert_eq!(point.eval_loss, expected["eval_loss"].as_f64());
        assert_eq!(point.learning_rate, expected["learning_rate"].as_f64());
        assert_eq!(Some(point.tokens.0), expected["tokens"].as_u64());
        let phase = if point.tokens.0 <= 40 * 4096 { "constant" } else { "decay" };
        assert_eq!(point.phase.unwrap().to_string(), phase);
    }
    assert!(log.remarks()[0].contains("does not say its steps"), "{:?}", log.remarks());
}

#[cfg(feature = "sqlite")]
#[test]
fn trackio_gives_the_points_of_its_own_reader() {
    let log = read(&["trackio.db"], &Asked::default()).unwrap();
    assert_eq!((log.format(), log.remarks().len()), ("trackio", 0));
    agrees(&log, "trackio");
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_build_without_sqlite_says_so() {
    let error = read(&["trackio.db"], &Asked::default()).unwrap_err();
    assert!(matches!(error.import(), Some(ImportError::NoSqlite { .. })), "{error}");
}
