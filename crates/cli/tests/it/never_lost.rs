//! A run is never lost: killed anywhere, damaged, out of room or out of time, it ends as the run
//! left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workshop::{
    Ran, Workshop, arg, change_json, command, copy_folder, done, held_out_loss, names, read_json,
    regrow,
};

/// Checkpoints every ten steps, many held-out points, and so many epochs that held-out loss rises
/// in the end.
pub(crate) const RECIPE: &str = "format = 1\ntokens = 24000\ncontext = 48\nbatch = 4\nlearning_rate = 0.01\nwarmup = 960\n\
                      eval_points = 40\neval_tokens = 300\nsave_every = 1920\n";

/// A corpus, a recipe, and a run left alone in `whole`.
pub(crate) struct Bench {
    workshop: Workshop,
}

impl Bench {
    fn new() -> Self {
        Self::with(RECIPE)
    }

    /// With another recipe.
    pub(crate) fn with(recipe: &str) -> Self {
        let workshop = Workshop::new();
        fs::write(workshop.path("recipe.toml"), recipe).unwrap();
        let (text, corpus) = (workshop.path("text.txt"), workshop.path("few"));
        let words = [
            "tokenize",
            arg(&text),
            "--documents",
            "blank-line",
            "--vocabulary",
            "280",
            "--heldout-share",
        ];
        done(&[&words[..], &["0.985", "--out", arg(&corpus)]].concat());
        let bench = Self { workshop };
        let ran = bench.train("whole", &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.workshop.path(name)
    }

    pub(crate) fn arguments(&self, out: &str, extra: &[&str]) -> Vec<String> {
        let path = |name| arg(&self.path(name)).to_owned();
        let all = ["train", "--init", &path("tiny.json"), "--corpus", &path("few"), "--recipe"];
        let rest = [&path("recipe.toml"), "--out", &path(out), "--json"];
        [&all[..], &rest, extra].concat().iter().map(ToString::to_string).collect()
    }

    pub(crate) fn train(&self, out: &str, extra: &[&str]) -> Ran {
        let arguments = self.arguments(out, extra);
        regrow(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn begin(&self, out: &str, extra: &[&str]) -> Child {
        let arguments = self.arguments(out, extra);
        let mut command = command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// A run that was stopped in its middle: three checkpoints, the best among them or not.
    fn stopped(&self, out: &str) {
        let mut child = self.begin(out, &[]);
        let metrics = self.path(out).join("metrics.jsonl");
        wait("the middle", || lines(&metrics) > 65 || child.try_wait().unwrap().is_some());
        signal(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(75), "it ended before it could be stopped");
    }

    /// The run in `out` goes on, and ends as the run left alone.
    fn goes_on_alike(&self, out: &str) {
        let ran = self.train(out, &["--resume"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        self.ended_alike(out);
    }

    /// The run in `out` is the run left alone, file by file.
    pub(crate) fn ended_alike(&self, out: &str) {
        self.are_alike("whole", out);
    }

    /// Two runs are the same, file by file.
    pub(crate) fn are_alike(&self, whole: &str, found: &str) {
        let (whole, found) = (self.path(whole), self.path(found));
        assert_eq!(names(&whole), names(&found));
        for model in ["model", "best"].into_iter().filter(|model| whole.join(model).exists()) {
            let read = |run: &Path| {
                let folder = run.join(model);
                let read = |name: &String| fs::read(folder.join(name)).unwrap();
                names(&folder).iter().map(|name| (name.clone(), read(name))).collect::<Vec<_>>()
            };
            assert!(read(&whole) == read(&found), "`{model}` differs");
        }
        let curve = |run: &Path| -> Vec<Value> {
            let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
            text.lines().map(|line| without_speed(serde_json::from_str(line).unwrap())).collect()
        };
        assert_eq!(curve(&whole), curve(&found));
        let state = |run: &Path| read_json(&run.join("trainer_state.json"));
        assert_eq!(state(&whole), state(&found));
        // Every step once, and nothing torn: a record's length does not depend on times and speeds.
        let length =
            |run: &Path| fs::metadata(run.join("events.out.tfevents.regrow")).unwrap().len();
        assert_eq!(length(&whole), length(&found));
    }
}

pub(crate) fn without_speed(mut point: Value) -> Value {
    point.as_object_mut().unwrap().remove("tokens_per_second");
    point
}

pub(crate) fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

pub(crate) fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !until() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} does not come");
        sleep(Duration::from_micros(100));
    }
}

fn signal(child: &Child, name: &str) {
    let killed = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(killed.unwrap().success());
}

/// What is being written, and was not renamed yet.
fn unfinished(run: &Path) -> Vec<String> {
    let hidden = |name: &String| name.starts_with(".checkpoint-") && name.ends_with(".aside");
    if run.is_dir() { names(run).into_iter().filter(hidden).collect() } else { Vec::new() }
}

pub(crate) fn checkpoints(run: &Path) -> Vec<u64> {
    let step = |name: &String| name.strip_prefix("checkpoint-")?.parse().ok();
    let mut steps: Vec<u64> = names(run).iter().filter_map(step).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn a_run_killed_ten_times_also_inside_checkpoints_ends_as_the_run_left_alone() {
    let bench = Bench::new();
    let run = bench.path("killed");
    let mut state = 11_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let (mut inside, mut lost) = (0, 0);
    for kill in 0..10 {
        let metrics = run.join("metrics.jsonl");
        let before = lines(&metrics);
        let mut child = bench.begin("killed", &["--resume"]);
        // Further on than it was, so that the ten take less than a run; then anywhere, or while a
        // checkpoint is written.
        wait("progress", || lines(&metrics) > before + 3 || child.try_wait().unwrap().is_some());
        let ended = "it ended before it could be killed";
        if kill % 2 == 0 {
            sleep(Duration::from_micros((15_000.0 * random()) as u64));
        } else {
            // Stopped first, to be sure that the writing was not over when it is killed.
            loop {
                wait("a checkpoint", || {
                    !unfinished(&run).is_empty() || child.try_wait().unwrap().is_some()
                });
                sleep(Duration::from_micros((2_000.0 * random()) as u64));
                assert!(child.try_wait().unwrap().is_none(), "{ended}");
                signal(&child, "STOP");
                if !unfinished(&run).is_empty() {
                    break;
                }
                signal(&child, "CONT");
            }
        }
        assert!(child.try_wait().unwrap().is_none(), "{ended}");
        child.kill().unwrap();
        child.wait().unwrap();
        inside += usize::from(!unfinished(&run).is_empty());
        lost += lines(&metrics) - checkpoints(&run).last().map_or(0, |&step| step as usize);
        // The last two, the best, and at most what was about to be removed.
        assert!(checkpoints(&run).len() <= 4, "{:?}", checkpoints(&run));
    }
    assert!(inside >= 3 && lost > 0, "{inside} kills inside a checkpoint, {lost} steps lost");
    bench.goes_on_alike("killed");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_aloud_whatever_was_damaged_how() {
    let bench = Bench::new();
    bench.stopped("stopped");
    let steps = checkpoints(&bench.path("stopped"));
    let [.., before, last] = steps[..] else { panic!("{steps:?}") };
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("truncated", |file| {
            let length = fs::metadata(file).unwrap().len();
            fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length - 1).unwrap();
        }),
        ("flipped", |file| {
            let mut bytes = fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(file, bytes).unwrap();
        }),
        ("missing", |file| fs::remove_file(file).unwrap()),
    ];
    let files = [
        "weights.safetensors",
        "first_moments.safetensors",
        "second_moments.safetensors",
        "state.json",
    ];
    for file in files {
        for (how, damage) in damages {
            let name = format!("{how}-{file}");
            copy_folder(&bench.path("stopped"), &bench.path(&name));
            damage(&bench.path(&name).join(format!("checkpoint-{last}")).join(file));
            let ran = bench.train(&name, &["--resume"]);
            assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
            let said = format!("checkpoint-{last}` is passed over: ");
            let told = ran.stderr.lines().find(|line| line.contains(&said)).unwrap_or_default();
            assert!(told.starts_with("warning: ") && told.contains(file), "{name}: {}", ran.stderr);
            assert!(
                ran.stderr.contains(&format!("resuming after step {before} ")),
                "{name}: {}",
                ran.stderr
            );
            bench.ended_alike(&name);
        }
    }
    // All of them: it begins anew. A checkpoint of a later step than the curve has cannot be gone
    // on from either.
    copy_folder(&bench.path("stopped"), &bench.path("none"));
    for step in &steps {
        fs::remove_file(bench.path("none").join(format!("checkpoint-{step}/state.json"))).unwrap();
    }
    copy_folder(&bench.path("stopped"), &bench.path("cut"));
    let metrics = bench.path("cut").join("metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    for (name, said) in [("none", "state.json"), ("cut", "the curve ends at step 2, expected ")] {
        let ran = bench.train(name, &["--resume"]);
        assert_eq!(
            (ran.code, ran.stderr.matches(said).count()),
            (0, steps.len()),
            "{name}: {}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("going on after"), "{}", ran.stderr);
        bench.ended_alike(name);
    }
}

#[test]
fn a_damaged_best_checkpoint_costs_the_best_model_and_nothing_else() {
    let bench = Bench::new();
    bench.stopped("run");
    let best =
        read_json(&bench.path("run/trainer_state.json"))["best_global_step"].as_u64().unwrap();
    let steps = checkpoints(&bench.path("run"));
    assert!(steps.len() == 3 && steps[0] == best, "{best} of {steps:?}");
    fs::write(bench.path("run").join(format!("checkpoint-{best}/weights.safetensors")), "x")
        .unwrap();
    let ran = bench.train("run", &["--resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: the weights with the least held-out loss are lost: "),
        "{}",
        ran.stderr
    );
    assert!(!bench.path("run/best").exists() && ran.json().get("best").is_none());
    let weights = |run: &str| fs::read(bench.path(run).join("model/model.safetensors")).unwrap();
    assert!(weights("run") == weights("whole"));
}

#[test]
fn the_best_weights_on_the_way_are_kept_as_a_model() {
    let bench = Bench::new();
    let whole = bench.path("whole");
    let (done, state) =
        (read_json(&whole.join("done.json")), read_json(&whole.join("trainer_state.json")));
    assert!(done["best_eval_loss"].as_f64() < done["eval_loss"].as_f64(), "{done}");
    let eval = |model: &str| held_out_loss(&whole.join(model), &bench.path("few"), "300");
    assert_eq!(
        (eval("model"), eval("best")),
        (done["eval_loss"].clone(), done["best_eval_loss"].clone())
    );
    let step = state["best_global_step"].as_u64().unwrap();
    let found = bench.train("whole", &["--resume"]).json();
    assert_eq!(
        (&found["best_step"], &found["best"]),
        (&step.into(), &arg(&whole.join("best")).into())
    );
    // What comes after it knows which of the two it was.
    let (best, pruned) = (whole.join("best"), bench.path("pruned"));
    let cut = ["prune", arg(&best), "--drop", "1", "--out", arg(&pruned), "--json"];
    let cut = crate::workshop::done(&cut).json();
    assert_eq!((&cut["base"], &cut["loss0"]), (&"whole".into(), &done["best_eval_loss"]));
    assert_eq!(cut["loss0_phase"], "constant");
}

#[test]
fn each_of_three_signals_saves_and_ends_with_75() {
    let bench = Bench::new();
    let metrics = bench.path("run").join("metrics.jsonl");
    for name in ["INT", "TERM", "USR1"] {
        let before = lines(&metrics);
        let mut child = bench.begin("run", &["--resume"]);
        wait("progress", || lines(&metrics) > before + 3);
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(75), "{name}");
        assert_eq!(
            checkpoints(&bench.path("run")).last(),
            Some(&(lines(&metrics) as u64 - 1)),
            "{name}"
        );
        let state = read_json(&bench.path("run").join("trainer_state.json"));
        assert_eq!(state["global_step"], lines(&metrics) - 1);
    }
    assert_eq!(bench.train("run", &["--resume"]).code, 0);
    bench.ended_alike("run");
}

#[test]
fn two_processes_do_not_train_in_one_folder_and_a_dead_one_holds_no_lock() {
    let bench = Bench::new();
    let mut child = bench.begin("run", &[]);
    let metrics = bench.path("run").join("metrics.jsonl");
    wait("the first step", || lines(&metrics) > 1);
    signal(&child, "STOP");
    let before = names(&bench.path("run"));
    for flag in ["--resume", "--force"] {
        let second = bench.train("run", &[flag]);
        assert_eq!(second.code, 1, "{}", second.stderr);
        for said in ["run/.lock` is locked by another process", "\n\nhint: "] {
            assert!(second.stderr.contains(said), "{}", second.stderr);
        }
        assert_eq!(names(&bench.path("run")), before);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(bench.path("run").join(".lock").is_file());
    assert_eq!(bench.train("run", &["--resume"]).code, 0);
    bench.ended_alike("run");
}

#[test]
fn a_time_limit_saves_before_it_and_the_run_goes_on() {
    let bench = Bench::new();
    // Too long for the limit.
    let recipe =
        RECIPE.replace("24000", "\"100M\"").replace("1920", "\"50M\"").replace("40\n", "4\n");
    fs::write(bench.path("recipe.toml"), recipe).unwrap();
    for extra in [&[][..], &["--resume"]] {
        let begin = Instant::now();
        let ran = bench.train("run", &[extra, &["--time-limit", "2s"]].concat());
        let took = begin.elapsed();
        assert_eq!(ran.code, 75, "{}", ran.stderr);
        // Tests share the machine, and others take as much of it as they like. Without the limit
        // the run would take hours.
        assert!(took < Duration::from_secs(60), "{took:?}");
        assert!(
            ran.stderr.contains(", before the time limit: resume with `--resume`"),
            "{}",
            ran.stderr
        );
        let step = ran.json()["steps"].as_u64().unwrap();
        assert_eq!(checkpoints(&bench.path("run")).last(), Some(&step));
        assert!(step > 3 && lines(&bench.path("run").join("metrics.jsonl")) as u64 == step + 1);
    }
    let before = checkpoints(&bench.path("run"));
    let ran = bench.train("run", &["--resume", "--time-limit", "0.01s"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no room for a step and a checkpoint\n\nhint: "), "{}", ran.stderr);
    assert_eq!(checkpoints(&bench.path("run")), before);
}

/// `train` as a line of a shell, for what only a shell can set.
fn shell(bench: &Bench, out: &str, before: &str) -> Ran {
    let words = bench.arguments(out, &["--resume"]);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let program = env!("CARGO_BIN_EXE_regrow");
    let line = format!("{before} exec '{program}' {} --threads 1", quoted.join(" "));
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_file_that_may_not_grow_stops_a_run_with_its_last_checkpoint_whole() {
    let bench = Bench::new();
    bench.stopped("run");
    let before = checkpoints(&bench.path("run"));
    // Files of at most 64 KiB: not enough for the weights. The signal that comes first is left
    // aside.
    let ran = shell(&bench, "run", "trap '' XFSZ; ulimit -f 128;");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for said in ["error: cannot write `", "the last checkpoint is whole", "\n\nhint: make room"] {
        assert!(ran.stderr.contains(said), "no `{said}` in: {}", ran.stderr);
    }
    assert_eq!(checkpoints(&bench.path("run")), before);
    assert_eq!(unfinished(&bench.path("run")), Vec::<String>::new());
    bench.goes_on_alike("run");
}

#[test]
fn a_full_disk_stops_a_run_with_its_last_checkpoint_whole() {
    let bench = Bench::new();
    bench.stopped("stopped");
    fs::create_dir(bench.path("disk")).unwrap();
    let (disk, stopped) = (bench.path("disk"), bench.path("stopped"));
    let steps = checkpoints(&stopped);
    let (disk_said, steps_said) = (arg(&disk), steps.last().unwrap());
    // A disk of its own, as large as the run and one file of a checkpoint more, in a namespace
    // where anybody may make one.
    let inside = format!(
        "mount -t tmpfs -o size=$(($(du -sk '{stopped}' | cut -f1) + 300))k none '{disk_said}' && echo mounted && \
         cp -r '{stopped}' '{disk_said}/run' && rm -f '{disk_said}'/run/.lock && \"$@\" >&2; echo code $?; \
         ls '{disk_said}/run' && cat '{disk_said}/run/checkpoint-{steps_said}/state.json' && \
         cp -r '{disk_said}/run' '{after}'",
        stopped = arg(&stopped),
        after = arg(&bench.path("after")),
    );
    let words = bench.arguments("disk/run", &["--resume", "--threads", "1"]);
    let output = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &inside,
            "sh",
            env!("CARGO_BIN_EXE_regrow"),
        ])
        .args(words)
        .output();
    let Some(output) = output.ok().filter(|output| output.stdout.starts_with(b"mounted")) else {
        eprintln!(
            "skipped: a_full_disk_stops_a_run_with_its_last_checkpoint_whole: this user may not make a small disk"
        );
        return;
    };
    let [said, listed] =
        [output.stderr, output.stdout].map(|text| String::from_utf8(text).unwrap());
    assert!(listed.contains("code 1\n"), "{listed} {said}");
    for part in [
        "No space left on device",
        "the last checkpoint is whole",
        "hint: make room",
        "warning: the disk of",
    ] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    assert!(checkpoints(&bench.path("after")).contains(steps_said), "{listed}");
    bench.goes_on_alike("after");
}

#[test]
fn the_loss_before_pruning_carries_the_phase_in_which_the_base_was_left() {
    let bench = Bench::new();
    let (corpus, recipe) = (bench.path("few"), bench.path("recipe.toml"));
    let decayed = bench.train("decayed", &["--decay", "9600"]);
    assert_eq!(decayed.code, 0, "{}", decayed.stderr);
    let heal = |model: &Path, out: &str, extra: &[&str]| {
        let out = bench.path(out);
        let all = ["train", arg(model), "--corpus", arg(&corpus), "--recipe", arg(&recipe)];
        let rest = ["--tokens", "1920", "--warmup", "0", "--out", arg(&out)];
        let ran = done(&[&all[..], &rest, extra].concat());
        (read_json(&out.join("record.json"))["loss0_phase"].clone(), ran)
    };
    for (base, phase) in [("whole", "constant"), ("decayed", "decay")] {
        let base_model = bench.path(base).join("model");
        let pruned = bench.path(&format!("{base}-pruned"));
        done(&["prune", arg(&base_model), "--drop", "1", "--out", arg(&pruned)]);
        let (known, ran) = heal(&pruned, &format!("{base}-a"), &["--base", arg(&base_model)]);
        assert_eq!(known, phase);
        assert!(ran.stdout.contains(&format!(", left in its phase `{phase}`")), "{}", ran.stdout);
        assert_eq!(ran.stderr.contains("the end of a decay"), phase == "decay", "{}", ran.stderr);
        // Only its number is told: the pruned model knows where it comes from.
        assert_eq!(heal(&pruned, &format!("{base}-b"), &["--loss0", "1.5"]).0, phase);
        // The control is its own base.
        assert_eq!(heal(&base_model, &format!("{base}-c"), &[]).0, phase);
        // No loss, no phase; and a folder that no run made has none.
        assert_eq!(heal(&pruned, &format!("{base}-d"), &[]).0, Value::Null);
        let moved = bench.path(&format!("{base}-moved"));
        copy_folder(&base_model, &moved);
        assert_eq!(heal(&moved, &format!("{base}-e"), &[]).0, Value::Null);
    }
}

#[test]
fn a_two_four_model_is_two_four_after_training() {
    let bench = Bench::new();
    let (model, corpus) = (bench.path("whole/model"), bench.path("few"));
    let (pruned, recipe) = (bench.path("pruned"), bench.path("recipe.toml"));
    done(&["prune", arg(&model), "--method", "2:4-magnitude", "--out", arg(&pruned)]);
    let run = bench.path("healed");
    let train = [
        "train",
        arg(&pruned),
        "--corpus",
        arg(&corpus),
        "--recipe",
        arg(&recipe),
        "--out",
        arg(&run),
    ];
    let ran = done(&[&train[..], &["--learning-rate", "5e-3", "--json"]].concat()).json();
    assert!(ran["best_eval_loss"].as_f64() < ran["loss_pruned"].as_f64(), "{ran}");
    let verified = regrow(&["inspect", arg(&run.join("model")), "--verify", "--json"]);
    assert_eq!(verified.code, 0, "{} {}", verified.stdout, verified.stderr);
    let found = verified.json();
    assert_eq!(found["problems"], serde_json::json!([]));
    let sparsity = |folder: &Path| read_json(&folder.join("sparsity.json"));
    assert_eq!(sparsity(&run.join("model")), sparsity(&pruned));
    // It is the masks that keep it so: without their list the same training fills the zeros.
    change_json(&pruned.join("sparsity.json"), |list| list["tensors"] = serde_json::json!({}));
    fs::remove_file(pruned.join("cut.json")).unwrap();
    let bare = bench.path("bare");
    let train = [
        "train",
        arg(&pruned),
        "--corpus",
        arg(&corpus),
        "--recipe",
        arg(&recipe),
        "--out",
        arg(&bare),
    ];
    done(&[&train[..], &["--learning-rate", "5e-3"]].concat());
    let list = bench.path("healed/model/sparsity.json");
    fs::copy(list, bare.join("model/sparsity.json")).unwrap();
    assert_eq!(regrow(&["inspect", arg(&bare.join("model")), "--verify"]).code, 3);
}
