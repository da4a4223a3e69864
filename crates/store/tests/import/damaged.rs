//! Logs that are damaged, unclear or lie: a named error, or a remark said aloud.

use std::fs;

use store::import::{Asked, Batches, ImportError, Unit, Word, read_log};

use crate::workbench::{fixture, held_out, read, read_text, steps_of};

fn error(name: &str, text: impl AsRef<[u8]>, asked: &Asked) -> (String, Option<ImportError>) {
    let error = read_text(name, text, asked).unwrap_err();
    (error.to_string(), error.import().cloned())
}

#[test]
fn steps_that_go_back_are_a_restart_and_many_are_no_log() {
    let text = "step,tokens,eval_loss\n10,100,3\n20,200,2.5\n10,100,3.1\n20,200,2.25\n30,300,2\n";
    let log = read_text("a.csv", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(10, 100, 3.1), (20, 200, 2.25), (30, 300, 2.0)]);
    assert!(
        log.remarks()[0].contains("`eval_loss` go back 1 times, first from 20 to 10"),
        "{:?}",
        log.remarks()
    );
    let rows: String = (0..60).map(|i| format!("{},{},2.5\n", 60 - i, 600 - 10 * i)).collect();
    let (said, error) = error("a.csv", format!("step,tokens,eval_loss\n{rows}"), &Asked::default());
    assert!(matches!(error, Some(ImportError::StepsGoBack { times: 21, .. })), "{said}");
}

#[test]
fn a_step_that_comes_twice_has_its_later_value_aloud() {
    let text = "step,tokens,eval_loss\n10,100,3\n10,100,3\n20,200,2.5\n20,200,2.25\n";
    let log = read_text("a.csv", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(10, 100, 3.0), (20, 200, 2.25)]);
    assert_eq!(log.remarks(), ["`eval_loss` has two values at 1 steps: the later ones count"]);
}

#[test]
fn losses_that_are_not_finite_are_left_out_aloud_and_nothing_else_is_an_error() {
    let text = r#"{"log_history": [
        {"step": 10, "eval_loss": NaN, "num_input_tokens_seen": 100},
        {"step": 20, "eval_loss": 2.5, "num_input_tokens_seen": 200},
        {"step": 30, "eval_loss": Infinity, "num_input_tokens_seen": 300}]}"#;
    let log = read_text("trainer_state.json", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(20, 200, 2.5)]);
    assert_eq!(
        log.remarks(),
        ["`eval_loss` is NaN or infinite 2 times, first at step 10: these are left out"]
    );
    let (said, error) =
        error("trainer_state.json", text.replace("2.5", "-Infinity"), &Asked::default());
    assert!(matches!(error, Some(ImportError::NothingFinite { count: 3, .. })), "{said}");
}

#[test]
fn tokens_that_fall_stay_or_are_none_are_refused_with_their_step() {
    let table = |tokens: [&str; 3]| {
        let rows = tokens.iter().zip([10, 20, 30]);
        let rows: String = rows.map(|(tokens, step)| format!("{step},{tokens},2.5\n")).collect();
        error("a.csv", format!("step,tokens,eval_loss\n{rows}"), &Asked::default())
    };
    let (said, error) = table(["100", "300", "200"]);
    assert!(matches!(error, Some(ImportError::TokensFall { step: 30, .. })), "{said}");
    assert!(said.contains("`tokens` falls from 300 to 200 at step 30"), "{said}");
    let (said, error) = table(["4096", "4096", "4096"]);
    assert!(matches!(error, Some(ImportError::TokensStay { tokens: 4096, .. })), "{said}");
    for bad in ["-5", "0.5", "1e300"] {
        let (said, error) = table(["100", "200", bad]);
        assert!(matches!(error, Some(ImportError::NotTokens { step: 30, .. })), "{said}");
    }
}

#[test]
fn an_events_file_may_be_cut_short_but_not_damaged() {
    let name = "events.out.tfevents.1750000000.machine.1.0";
    let whole = fs::read(fixture("tensorboard").join(name)).unwrap();
    let log = read_text(name, &whole[..whole.len() - 5], &Asked::default()).unwrap();
    assert!(log.remarks()[0].contains("killed or is still at work"), "{:?}", log.remarks());
    assert_eq!(held_out(&log).len(), 2);
    // Whatever it is cut to: read as far as it goes, or said to hold nothing.
    for length in 0..whole.len() {
        let _ = read_text(name, &whole[..length], &Asked::default());
    }
    let mut damaged = whole.clone();
    damaged[200] ^= 1;
    let (said, found) = error(name, &damaged, &Asked::default());
    assert!(matches!(found, Some(ImportError::Damaged { .. })), "{said}");
    assert!(said.contains("record ") && said.contains("checksum"), "{said}");
}

#[test]
fn a_database_that_is_none_is_refused() {
    let mut text = b"SQLite format 3\0".to_vec();
    text.extend([7; 4000]);
    let (said, found) = error("heal.db", &text, &Asked::default());
    match cfg!(feature = "sqlite") {
        true => assert!(matches!(found, Some(ImportError::Damaged { .. })), "{said}"),
        false => assert!(matches!(found, Some(ImportError::NoSqlite { .. })), "{said}"),
    }
    let (said, found) = error("heal.db", b"SQLite format 4\0\0\0", &Asked::default());
    assert!(matches!(found, Some(ImportError::Unknown { .. })), "{said}");
}

#[test]
fn of_two_losses_or_two_sets_the_user_says_which() {
    let text = "step,tokens,val_loss,valid_loss\n10,100,3,4\n20,200,2.5,3.5\n";
    let (said, found) = error("a.csv", text, &Asked::default());
    assert!(matches!(found, Some(ImportError::SeveralLosses { .. })), "{said}");
    assert!(said.contains("2 held-out losses: `val_loss`, `valid_loss`; expected one"), "{said}");

    let two = ["trainer_state_two_sets.json"];
    let error = read(&two, &Asked::default()).unwrap_err().to_string();
    assert!(error.contains("`eval_code_loss`, `eval_wikitext_loss`; expected one"), "{error}");
    let chosen = Asked::default().with_name(Word::HeldOut, "eval_code_loss".into());
    let log = read(&two, &chosen).unwrap();
    assert_eq!((log.loss().name(), held_out(&log).len()), ("eval_code_loss", 3));
    let wrong = Asked::default().with_name(Word::HeldOut, "eval_cod_loss".into());
    let error = read(&two, &wrong).unwrap_err().to_string();
    assert!(error.contains("no `eval_cod_loss`; it holds `epoch`, "), "{error}");
}

#[test]
fn a_log_of_training_loss_alone_is_used_only_when_told_so() {
    let text =
        "{\"step\":10,\"loss\":3.0,\"tokens\":100}\n{\"step\":20,\"loss\":2.5,\"tokens\":200}\n";
    let (said, found) = error("log.jsonl", text, &Asked::default());
    assert!(matches!(found, Some(ImportError::OnlyTraining { points: 2, .. })), "{said}");
    let log = read_text("log.jsonl", text, &Asked::default().with_training_loss(true)).unwrap();
    assert!(!log.loss().is_held_out() && held_out(&log).is_empty());
    assert_eq!(log.points()[1].loss, Some(2.5));
    // Of a log with both, each stays what it is.
    let both = read(&["trainer_state.json"], &Asked::default().with_training_loss(true)).unwrap();
    assert!(!both.loss().is_held_out());
    assert_eq!(held_out(&both).len(), 3);
}

#[test]
fn perplexities_bits_and_percentages_are_no_losses() {
    let asked = Asked::default();
    let text = "step,tokens,eval_ppl\n10,100,20\n20,200,12\n";
    let (said, found) = error("a.csv", text, &asked);
    assert!(matches!(found, Some(ImportError::OtherUnit { unit: Unit::Perplexity, .. })), "{said}");
    let told = Asked::default().with_name(Word::HeldOut, "eval_ppl".into());
    let log = read_text("a.csv", text, &told.clone().with_unit(Unit::Perplexity)).unwrap();
    assert_eq!(held_out(&log)[1].2, 12_f64.ln());
    // Taken for nats, it is doubted aloud.
    let text = text.replace("12", "17");
    let log = read_text("a.csv", &text, &told).unwrap();
    assert!(log.remarks()[0].contains("is it a perplexity or a percentage"), "{:?}", log.remarks());
    // Its own perplexity gives a loss away that is in bits.
    let text = "step,tokens,val_loss,val_ppl\n10,100,4,16\n20,200,3,8\n";
    let (said, found) = error("a.csv", text, &asked);
    assert!(matches!(found, Some(ImportError::OtherUnit { unit: Unit::Bits, .. })), "{said}");
    assert!(said.contains("`val_ppl` is 2 to its power"), "{said}");
    let log = read_text("a.csv", text, &asked.clone().with_unit(Unit::Bits)).unwrap();
    assert_eq!(held_out(&log)[0].2, 4.0 * std::f64::consts::LN_2);
    let (said, _) = error("a.csv", "step,tokens,eval_loss\n10,100,85%\n", &asked);
    assert!(said.ends_with("row 1: `eval_loss` is `85%`, expected a number and no percentage"));
    let (said, found) = error("a.csv", "step,tokens,eval_loss\n10,100,-2.5\n", &asked);
    assert!(matches!(found, Some(ImportError::NotALoss { step: 10, .. })), "{said}");
}

#[test]
fn tokens_are_never_guessed() {
    let bare = ["trainer_state_wikitext.json"];
    let error = read(&bare, &Asked::default()).unwrap_err();
    assert!(matches!(error.import(), Some(ImportError::NoTokens { .. })), "{error}");
    let said = error.to_string();
    assert!(said.ends_with("it states 8 sequences a pass of one process"), "{said}");
    // The rest of the product, beside what the log states.
    let rest = Batches::of_factors(None, Some(2), Some(4), Some(64));
    let log = read(&bare, &Asked::default().with_batches(rest)).unwrap();
    assert_eq!(held_out(&log)[0].1, 20 * 8 * 2 * 4 * 64);
    assert!(log.tokens().contains("8 sequences x 2 passes x 4 processes x 64 tokens"));
    for part in [
        Batches::of_factors(None, None, Some(4), Some(64)),
        Batches::of_factors(None, Some(2), None, Some(64)),
        Batches::of_factors(None, Some(2), Some(4), None),
    ] {
        assert!(read(&bare, &Asked::default().with_batches(part)).is_err());
    }
    // What is given counts, and a log that says otherwise is told of.
    let log = read(&["trainer_state.json"], &steps_of(1000)).unwrap();
    assert_eq!(held_out(&log)[2].1, 60_000);
    assert!(
        log.remarks()[0].contains("says 245760 tokens at step 60, and what was given makes 60000")
    );
}

#[test]
fn tokens_of_every_tenth_step_are_those_of_ten() {
    let text = "step,step_tokens,eval_loss\n10,4096,3\n20,4096,2.5\n30,4096,2.4\n";
    let log = read_text("a.csv", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(10, 40_960, 3.0), (20, 81_920, 2.5), (30, 122_880, 2.4)]);
}

#[test]
fn a_column_that_does_not_count_is_passed_over() {
    let asked = Asked::default().with_batches(Batches::of_factors(None, None, None, Some(512)));
    let zero = "step,tokens,samples,eval_loss\n10,0,80,3\n20,0,160,2.5\n";
    let log = read_text("a.csv", zero, &asked).unwrap();
    assert_eq!(held_out(&log), [(10, 40_960, 3.0), (20, 81_920, 2.5)]);
    let two = "step,num_tokens,num_input_tokens_seen,eval_loss\n10,100,0,3\n20,200,0,2.5\n";
    let log = read_text("a.csv", two, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(10, 100, 3.0), (20, 200, 2.5)]);
}

#[test]
fn sequences_seen_so_far_count_more_than_the_stated_batch() {
    let text = fs::read_to_string(fixture("megatron.log")).unwrap();
    let plain = read_text("megatron.log", &text, &Asked::default()).unwrap();
    // An earlier part with a larger batch left a thousand sequences more behind.
    let mut late = String::new();
    for line in text.lines() {
        late += &match line.split_once("consumed samples:") {
            Some((before, after)) => {
                let (number, rest) = after.split_once('|').unwrap();
                let more = number.trim().parse::<u64>().unwrap() + 1000;
                format!("{before}consumed samples: {more} |{rest}\n")
            }
            None => format!("{line}\n"),
        };
    }
    let log = read_text("megatron.log", &late, &Asked::default()).unwrap();
    assert!(log.tokens().starts_with("`consumed samples` of the log"), "{}", log.tokens());
    for ((step, tokens, _), (_, before, _)) in held_out(&log).into_iter().zip(held_out(&plain)) {
        assert_eq!(tokens, before + 1000 * 512, "{step}");
    }
}

#[test]
fn the_unit_is_that_of_the_losses_that_are_compared() {
    let text = "step,tokens,train_loss,val\n1,10,3.0,20\n2,20,2.9,18\n";
    let asked = Asked::default()
        .with_name(Word::HeldOut, "val".to_owned())
        .with_unit("perplexity".parse().unwrap());
    let log = read_text("a.csv", text, &asked).unwrap();
    assert_eq!(held_out(&log)[0].2, 20.0_f64.ln());
    assert_eq!(log.points()[0].loss, Some(3.0));
}

#[test]
fn what_lies_beyond_stated_tokens_is_refused_and_what_lies_between_is_said() {
    let text = "step,tokens,eval_loss\n10,100,\n20,300,\n15,,2.5\n";
    let log = read_text("a.csv", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(15, 200, 2.5)]);
    assert!(log.remarks()[0].starts_with("at 1 steps the log states no tokens"), "{log:?}");
    let (said, found) = error("a.csv", text.replace("15,,", "25,,"), &Asked::default());
    assert!(matches!(found, Some(ImportError::TokensEnd { last: 20, step: 25, .. })), "{said}");
}

#[test]
fn several_runs_and_mixed_formats_are_refused_by_name() {
    let text = "\"Step\",\"a - eval/loss\",\"a - eval/loss__MIN\",\"a - eval/loss__MAX\",\"b - eval/loss\"\n1,2,2,2,3\n2,1,1,1,2\n";
    let asked = steps_of(10);
    let (said, found) = error("w.csv", text, &asked);
    assert!(matches!(found, Some(ImportError::SeveralRuns { .. })), "{said}");
    assert!(said.contains("2 runs: `a`, `b`"), "{said}");
    let log = read_text("w.csv", text, &asked.clone().with_run(Some("b".into()))).unwrap();
    assert_eq!(held_out(&log), [(1, 10, 3.0), (2, 20, 2.0)]);
    let (said, _) = error("w.csv", text, &asked.with_run(Some("c".into())));
    assert!(said.contains("no run `c`; it holds `a`, `b`"), "{said}");
    let files = [fixture("megatron.log"), fixture("trainer_state.json")];
    let error = read_log(&[&files[0], &files[1]], &Asked::default()).unwrap_err();
    assert!(matches!(error.import(), Some(ImportError::Mixed { .. })), "{error}");
}

#[test]
fn what_is_no_log_is_said_to_be_what_it_is() {
    for (bytes, why) in [
        (b"".as_slice(), "it is empty"),
        (&[0x1f, 0x8b, 8, 0, 0, 0], "it is packed"),
        (b"PAR1\0\0\0\0", "it is a Parquet file"),
        (b"[{\"step\": 1}]", "it is JSON, but"),
        (b"Dear diary\ntoday\n", "no line, table or object that is known"),
    ] {
        let (said, found) = error("log", bytes, &Asked::default());
        assert!(matches!(found, Some(ImportError::Unknown { .. })), "{said}");
        assert!(said.contains(why) && said.contains("trainer-state, nemo"), "{said}");
    }
    let (said, _) = error("log.jsonl", "{\"step\":1,\"accuracy\":0.5}\n", &Asked::default());
    assert!(said.contains("no loss in nats per token; it holds `accuracy`"), "{said}");
    // A line of another kind in the middle, and a last one that a kill cut short.
    let text = "{\"step\":1,\"eval_loss\":3,\"tokens\":10}\n{\"step\":2,\"eval_";
    let log = read_text("log.jsonl", text, &Asked::default()).unwrap();
    assert!(log.remarks()[0].contains("ends within line 2"), "{:?}", log.remarks());
    let (said, _) = error("log.jsonl", format!("{text}\n{{}}\n"), &Asked::default());
    assert!(said.contains("line 2: EOF while parsing"), "{said}");
}
