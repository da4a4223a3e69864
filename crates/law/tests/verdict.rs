//! The verdict: what it says of a law that is exact, of one that is worthless, and by hand.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use std::collections::BTreeSet;

use law::validate::{GroupValidation, Question, Verdict, validate};
use law::{Settings, Table, TableRow};
use world::World;

fn judged(rows: Vec<TableRow>) -> GroupValidation {
    let settings = Settings { starts: 16, ..Settings::default() };
    validate(&Table::new(rows).unwrap(), &settings).unwrap().groups()[0].clone()
}

fn of(group: &GroupValidation, question: Question) -> &Verdict {
    group.verdicts().iter().find(|verdict| verdict.question() == question).unwrap()
}

const SIZES: [f64; 4] = [0.494, 1.236, 1.544, 3.086];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];

#[test]
fn an_exact_law_is_worth_it_on_every_question_that_a_run_alone_cannot_answer() {
    let group = judged(World::new(&SIZES, &RATES).rows(1));
    assert_eq!(group.verdicts().len(), 5);
    for question in [Question::Size, Question::Rate, Question::Base, Question::Run] {
        let verdict = of(&group, question);
        assert!(verdict.skill().unwrap() > 0.99, "{verdict:?}");
        assert_eq!(verdict.withheld(), 0, "{verdict:?}");
        assert!(verdict.sentence().contains(": worth it"), "{verdict:?}");
    }
    // Run by run a power is exact here too.
    assert!(of(&group, Question::Tokens).error().unwrap() < 1e-5);
}

/// Excesses that follow neither size nor rate, on curves that have ended.
#[test]
fn a_law_of_what_follows_nothing_is_not_worth_it() {
    let mut rows = World::new(&SIZES, &RATES).rows(1);
    let mut runs: Vec<String> = Vec::new();
    for row in &mut rows {
        if !runs.contains(&row.run) {
            runs.push(row.run.clone());
        }
        let place = runs.iter().position(|run| *run == row.run).unwrap() as f64;
        let chance = (place * 12.9898 + 4.1414).sin() * 43_758.547;
        row.loss = row.loss0 + 0.3 + 0.2 * (chance - chance.floor());
    }
    let group = judged(rows);
    let tokens = of(&group, Question::Tokens);
    assert_eq!(tokens.rival(), Some("last-value"));
    let claims: Vec<&Verdict> =
        group.verdicts().iter().filter(|verdict| verdict.sentence().contains(": worth")).collect();
    assert!(claims.len() <= 1, "{claims:?}");
}

#[test]
fn numbers_of_a_verdict_are_those_one_works_out_by_hand() {
    let group = judged(World::new(&SIZES, &RATES).noisy().rows(3));
    for (verdict, split) in group.verdicts().iter().zip(group.splits()) {
        let (mut error, mut answered, mut score, mut inside) = (0.0, 0, 0.0, 0);
        for curve in split.curves() {
            for [tokens, loss] in curve.held_out() {
                let [_, said] = curve.curve().iter().find(|point| point[0] == *tokens).unwrap();
                error += (said - loss).abs();
                answered += curve.answers().iter().filter(|point| point[0] == *tokens).count();
                let [_, low, high] = curve.band().iter().find(|ends| ends[0] == *tokens).unwrap();
                inside += usize::from((low..=high).contains(&loss));
                score += high - low;
                // For 90 % a point outside costs twenty times its distance.
                score += 20.0 * ((low - loss).max(0.0) + (loss - high).max(0.0));
            }
        }
        let points = verdict.points() as f64;
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() / expected - 1.0).abs() < 1e-9, "{verdict:?} {expected}");
        };
        close(verdict.error(), error / points);
        close(verdict.held(), inside as f64 / points);
        close(verdict.interval_score(), score / points);
        assert_eq!(verdict.withheld(), verdict.points() - answered);
        // The rival's error is that of its row.
        let rival = verdict.rival().unwrap();
        let row = group.entries().iter().find(|entry| entry.name() == rival).unwrap();
        close(verdict.rival_error(), row.held_out()[split.name()].mae().unwrap());
    }
}

#[test]
fn every_run_is_left_out_once_and_the_highest_rate_of_every_size() {
    // The largest size has only lower rates than the others.
    let mut world = World::new(&SIZES, &RATES);
    let mut rows = world.rows(1);
    rows.retain(|row| row.n0 < 3e9);
    world.sizes = vec![3.086];
    world.rates = vec![0.1, 0.2];
    rows.extend(world.rows(1));
    let runs: BTreeSet<String> = rows.iter().map(|row| row.run.clone()).collect();
    let group = judged(rows);
    let split = |name: &str| group.splits().iter().find(|split| split.name() == name).unwrap();
    let by_run = split("leave-one-run-out");
    assert_eq!((by_run.folds(), by_run.curves().len()), (8, runs.len()));
    let out: BTreeSet<String> =
        by_run.curves().iter().map(|curve| curve.run().to_owned()).collect();
    assert_eq!(out, runs);
    let highest: Vec<f64> =
        split("highest-rate").curves().iter().map(|curve| curve.place().rate).collect();
    assert_eq!(highest, [0.36, 0.36, 0.36, 0.2]);
}

#[test]
fn a_twin_base_foretells_the_mean_excess_of_the_others_of_its_size() {
    let mut rows = Vec::new();
    for (base, by) in [("a", 0.9), ("b", 1.0), ("c", 1.3)] {
        for mut row in World::new(&[1.236, 3.086], &RATES).rows(1) {
            row.loss = row.loss0 + by * (row.loss - row.loss0);
            row.base = Some(format!("{base} {}", row.n0));
            row.run = format!("{base} {}", row.run);
            rows.push(row);
        }
    }
    let mean = rows.iter().map(|row| row.loss - row.loss0).sum::<f64>() / rows.len() as f64;
    let group = judged(rows);
    let twin = group.entries().iter().find(|entry| entry.name() == "twin-base").unwrap();
    // Of 0.9, 1.0 and 1.3 each lies from the mean of the other two by 0.25, 0.1 and 0.35; the mean
    // of all is 16/15.
    let expected = (0.25 + 0.1 + 0.35) / 3.0 * mean / (3.2 / 3.0);
    let found = twin.held_out()["leave-one-base-out"].mae().unwrap();
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
}
