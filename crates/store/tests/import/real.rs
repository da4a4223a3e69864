//! Logs as people have them: what trainers write beside the losses, and what they leave out.

use store::import::{Asked, Word};

use crate::workbench::{held_out, read_text, steps_of};

#[test]
fn summaries_at_the_end_of_a_log_are_no_losses_of_steps() {
    // The `Trainer` ends its log with a mean over the run; W&B and trackio keep it as well.
    let text = r#"{"best_metric": 2.5, "log_history": [
        {"epoch": 0.5, "loss": 3.0, "step": 50}, {"epoch": 0.5, "eval_loss": 2.75, "eval_runtime": 9.1, "step": 50},
        {"epoch": 1.0, "eval_loss": 2.5, "eval_accuracy": 0.5, "step": 100},
        {"epoch": 1.0, "step": 100, "total_flos": 1e15, "train_loss": 9.0, "train_runtime": 60.0}]}"#;
    let log = read_text("trainer_state.json", text, &steps_of(10)).unwrap();
    assert_eq!(held_out(&log), [(50, 500, 2.75), (100, 1000, 2.5)]);
    assert_eq!((log.points()[0].epoch, log.points()[0].loss), (Some(0.5), Some(3.0)));
    assert_eq!(log.points()[1].loss, None);
}

#[test]
fn a_trainer_that_does_not_count_tokens_writes_zeros_and_they_are_not_taken() {
    let text = r#"{"num_input_tokens_seen": 0, "train_batch_size": 4, "log_history": [
        {"eval_loss": 2.75, "num_input_tokens_seen": 0, "step": 50}, {"eval_loss": 2.5, "num_input_tokens_seen": 0, "step": 100}]}"#;
    let error = read_text("trainer_state.json", text, &Asked::default()).unwrap_err().to_string();
    assert!(error.starts_with("the log does not say how many tokens were seen"), "{error}");
}

#[test]
fn an_evaluation_before_the_first_step_is_the_loss_after_pruning() {
    let text = r#"{"log_history": [{"eval_loss": 4.5, "step": 0},
        {"loss": 3.0, "num_input_tokens_seen": 500, "step": 50}, {"eval_loss": 2.5, "step": 50},
        {"loss": 2.5, "num_input_tokens_seen": 1100, "step": 100}, {"eval_loss": 2.25, "step": 100}]}"#;
    let log = read_text("trainer_state.json", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(0, 0, 4.5), (50, 500, 2.5), (100, 1100, 2.25)]);
    assert_eq!(log.remarks(), [] as [&str; 0]);
}

#[test]
fn a_trainer_log_of_llama_factory_is_lines_of_json() {
    let text = "{\"current_steps\": 5, \"total_steps\": 20, \"loss\": 2.9, \"lr\": 1e-05, \"epoch\": 0.1}\n\
                {\"current_steps\": 10, \"total_steps\": 20, \"eval_loss\": 2.8, \"epoch\": 0.2, \"percentage\": 50.0}\n";
    let log = read_text("trainer_log.jsonl", text, &steps_of(100)).unwrap();
    assert_eq!(held_out(&log), [(10, 1000, 2.8)]);
    assert_eq!(log.points()[0].learning_rate, Some(1e-5));
}

#[test]
fn a_history_of_wandb_goes_by_the_trainers_step() {
    let text = ",_runtime,_step,_timestamp,train/global_step,train/loss,eval/loss,train/num_input_tokens_seen\n\
                0,1.5,0,1.7e9,10,3.0,,1000\n1,2.5,1,1.7e9,10,,2.9,\n2,3.5,2,1.7e9,20,2.8,,2000\n3,4.5,3,1.7e9,20,,2.7,\n";
    let log = read_text("history.csv", text, &Asked::default()).unwrap();
    assert_eq!((log.format(), held_out(&log)), ("wandb", vec![(10, 1000, 2.9), (20, 2000, 2.7)]));
}

#[test]
fn a_printed_log_may_begin_with_megabytes_of_something_else() {
    let noise = "NCCL INFO Channel 00/02 : 0 1 2 3\n".repeat(40_000);
    let text = format!(
        "{noise} iteration       10/      20 | consumed samples:          80 | lm loss: 2.9E+00 |\n \
         validation loss at iteration 10 | lm loss value: 2.8E+00 | lm loss PPL: 1.6444647E+01 | \n"
    );
    let log = read_text("slurm.out", &text, &steps_of(100)).unwrap();
    assert_eq!((log.format(), held_out(&log)), ("megatron", vec![(10, 1000, 2.8)]));
}

#[test]
fn the_points_of_our_own_curves_come_back() {
    let text = "{\"step\":0,\"tokens\":0,\"eval_loss\":4.5,\"epoch\":0.0,\"phase\":\"warmup\"}\n\
                {\"step\":8,\"tokens\":4096,\"loss\":2.75,\"eval_loss\":2.5,\"epoch\":0.25,\"phase\":\"constant\"}\n";
    let log = read_text("metrics.jsonl", text, &Asked::default()).unwrap();
    assert_eq!(held_out(&log), [(0, 0, 4.5), (8, 4096, 2.5)]);
    assert_eq!(log.points()[1].phase, Some(ledger::Phase::Constant));
}

#[test]
fn losses_of_other_kinds_beside_the_loss_are_passed_over() {
    let text = "step,tokens,train/loss,train/aux_loss,train/z_loss,eval/loss,eval/loss_std\n\
                10,100,3,0.1,0.2,2.9,0.3\n";
    let log = read_text("a.csv", text, &Asked::default()).unwrap();
    assert_eq!((held_out(&log), log.points()[0].loss), (vec![(10, 100, 2.9)], Some(3.0)));
    let mapped = Asked::default().with_name(Word::Training, "train/z_loss".into());
    assert_eq!(read_text("a.csv", text, &mapped).unwrap().points()[0].loss, Some(0.2));
}
