//! Templates for other programs that start or replace the torch job. They follow the programs'
//! documentation and were not run here; each says so in its first lines.

use std::fmt::Write as _;
use std::path::Path;

use ledger::{RunSpec, Schedule};

use crate::error::{Error, ErrorKind, Result};
use crate::shell::quoted;

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemplateInput<'a> {
    pub(crate) spec: &'a RunSpec,
    pub(crate) steps: u64,
    pub(crate) processes: usize,
    /// Absolute paths.
    pub(crate) run: &'a Path,
    pub(crate) model: &'a Path,
    pub(crate) corpus: &'a Path,
    pub(crate) teacher: Option<&'a Path>,
    pub(crate) is_sparse: bool,
}

/// A task for SkyPilot.
pub(crate) fn skypilot(input: &TemplateInput<'_>) -> String {
    let TemplateInput { spec, processes, run, model, corpus, teacher, .. } = input;
    let job = run.join("torch.json");
    let mut text = format!(
        "# A SkyPilot task for regrow's run {id}. A template: it was not run by regrow's authors.\n\
         # Look over the lines marked CHANGE, then: sky launch -c regrow-{id} FILE\n\
         # Bring the run folder back afterwards: rsync -Pavz regrow-{id}:{run}/ {run}/\n\
         # The same `regrow train` command with --resume then checks the run.\n\
         name: regrow-{id}\n\
         workdir: .  # CHANGE: regrow's source, which holds python/regrow_torch\n\
         num_nodes: 1\n\
         resources:\n\
         \x20 accelerators: H100:{processes}  # CHANGE: kind and number of GPUs\n\
         # The paths in torch.json are these, so the files must lie at the same place there.\n\
         file_mounts:\n",
        id = spec.id(),
        run = quoted(run.as_os_str()),
    );
    for path in [run, model, corpus].into_iter().chain(teacher) {
        let path = scalar(&path.display().to_string());
        let _ = writeln!(text, "  {path}: {path}");
    }
    let job = quoted(job.as_os_str());
    text += "setup: |\n  pip install ./python/regrow_torch\n";
    let _ = write!(
        text,
        "run: |\n  python -m torch.distributed.run --standalone \
         --nproc-per-node \"$SKYPILOT_NUM_GPUS_PER_NODE\" -m regrow_torch {job}\n"
    );
    text
}

/// A configuration for NeMo AutoModel.
///
/// # Errors
/// For a sparse model, since it would fill the zeros.
pub(crate) fn nemo_automodel(input: &TemplateInput<'_>) -> Result<String> {
    let TemplateInput { spec, steps, processes, run, model, corpus, is_sparse, .. } = *input;
    if is_sparse {
        let message =
            "NeMo AutoModel would fill the zeros of a sparse model: the torch job keeps them";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let Schedule { warmup, decay } = spec.schedule;
    let tokens = train::milestones::tokens_per_step(spec);
    if decay.0 > 0 {
        let message =
            "the schedule ends with a linear decay to 0, which NeMo AutoModel has no name for";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    let path = |path: &Path| scalar(&path.display().to_string());
    let (model, optimizer) = (path(model), &spec.optimizer);
    let every = (steps / spec.evaluation.points.max(1) as u64).max(1);
    let dataset = |name: &str, part: &str, split: &str, built: &str| {
        format!(
            "{name}:\n\
             \x20 _target_: nemo_automodel.components.datasets.llm.megatron_dataset.MegatronPretraining\n\
             \x20 paths: {}\n\
             \x20 index_mapping_dir: {}\n\
             \x20 tokenizer:\n\
             \x20   _target_: transformers.AutoTokenizer.from_pretrained\n\
             \x20   pretrained_model_name_or_path: {model}\n\
             \x20 seq_length: {}\n\
             \x20 split: \"{split}\"\n\
             \x20 splits_to_build: {built}\n",
            path(&corpus.join(part)),
            path(&run.join("nemo-mapping")),
            spec.context,
        )
    };
    Ok(format!(
        "# NeMo AutoModel in the place of regrow's run {id}. A template: it was not run by regrow's authors.\n\
         # It reads regrow's corpus, in an order of its own, and its losses follow a convention of its own:\n\
         # compare models by `regrow eval`, not by its curve.\n\
         # torchrun --nproc-per-node={processes} examples/llm_pretrain/pretrain.py --config FILE\n\
         model:\n\
         \x20 _target_: nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained\n\
         \x20 pretrained_model_name_or_path: {model}\n\
         {train}{heldout}\
         step_scheduler:\n\
         \x20 global_batch_size: {batch}\n\
         \x20 local_batch_size: {local}\n\
         \x20 ckpt_every_steps: {save}\n\
         \x20 val_every_steps: {every}\n\
         \x20 max_steps: {steps}\n\
         dist_env:\n\
         \x20 backend: nccl\n\
         rng:\n\
         \x20 _target_: nemo_automodel.components.training.rng.StatefulRNG\n\
         \x20 seed: {seed}\n\
         \x20 ranked: true\n\
         checkpoint:\n\
         \x20 enabled: true\n\
         \x20 checkpoint_dir: {checkpoints}\n\
         \x20 model_save_format: safetensors\n\
         \x20 save_consolidated: true\n\
         distributed:\n\
         \x20 _target_: nemo_automodel.components.distributed.fsdp2.FSDP2Manager\n\
         \x20 dp_size: none\n\
         \x20 tp_size: 1\n\
         \x20 cp_size: 1\n\
         loss_fn:\n\
         \x20 _target_: nemo_automodel.components.loss.masked_ce.MaskedCrossEntropy\n\
         dataloader:\n\
         \x20 _target_: torchdata.stateful_dataloader.StatefulDataLoader\n\
         \x20 collate_fn: torch.utils.data.default_collate\n\
         validation_dataloader:\n\
         \x20 _target_: torchdata.stateful_dataloader.StatefulDataLoader\n\
         \x20 collate_fn: torch.utils.data.default_collate\n\
         optimizer:\n\
         \x20 _target_: torch.optim.AdamW\n\
         \x20 lr: {lr}\n\
         \x20 betas: [{beta1}, {beta2}]\n\
         \x20 eps: {eps}\n\
         \x20 weight_decay: {decay}\n\
         lr_scheduler:\n\
         \x20 lr_decay_style: constant\n\
         \x20 lr_warmup_steps: {warm}\n",
        id = spec.id(),
        train = dataset("dataset", "train", "1.0, 0.0, 0.0", "train"),
        heldout = dataset("validation_dataset", "heldout", "0.0, 1.0, 0.0", "validation"),
        batch = spec.batch,
        local = spec.micro_batch.min(spec.batch.div_ceil(processes)),
        save = (steps / 10).max(1),
        seed = spec.seed,
        checkpoints = path(&run.join("nemo-checkpoints")),
        lr = optimizer.learning_rate,
        beta1 = optimizer.beta1,
        beta2 = optimizer.beta2,
        eps = optimizer.epsilon,
        decay = optimizer.weight_decay,
        warm = warmup.0.div_ceil(tokens),
    ))
}

/// A text as a scalar of YAML: strings of JSON are such scalars.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use ledger::{Tokens, testing::run_spec};

    use super::*;

    fn input(spec: &RunSpec, is_sparse: bool) -> TemplateInput<'_> {
        let [run, model, corpus] = ["/runs/it's a", "/models/\"a: b", "/corpus"].map(Path::new);
        let teacher = Some(Path::new("/models/teacher"));
        TemplateInput { spec, steps: 100, processes: 4, run, model, corpus, teacher, is_sparse }
    }

    #[test]
    fn a_template_says_that_it_was_not_run_and_keeps_odd_names_in_one_word() {
        let spec = run_spec();
        let task = skypilot(&input(&spec, true));
        let lines: Vec<&str> = task.lines().collect();
        assert!(lines[0].ends_with("A template: it was not run by regrow's authors."), "{task}");
        assert!(lines.contains(&r#"  "/models/\"a: b": "/models/\"a: b""#), "{task}");
        assert!(task.contains(r"-m regrow_torch '/runs/it'\''s a/torch.json'"), "{task}");
        assert!(lines.contains(&r#"  "/models/teacher": "/models/teacher""#), "{task}");
        assert!(lines.contains(&"  accelerators: H100:4  # CHANGE: kind and number of GPUs"));

        let config = nemo_automodel(&input(&spec, false)).unwrap();
        assert!(config.lines().next().unwrap().contains("was not run"), "{config}");
        let path = r#"  pretrained_model_name_or_path: "/models/\"a: b""#;
        assert!(config.lines().any(|line| line == path), "{config}");
        assert!(config.lines().any(|line| line == "  paths: \"/corpus/heldout\""), "{config}");
    }

    #[test]
    fn what_nemo_would_not_do_is_refused() {
        let mut spec = run_spec();
        assert_eq!(*nemo_automodel(&input(&spec, true)).unwrap_err().kind(), ErrorKind::Usage);
        spec.schedule.decay = Tokens(1);
        let error = nemo_automodel(&input(&spec, false)).unwrap_err();
        assert!(error.to_string().contains("linear decay"), "{error}");
    }
}
