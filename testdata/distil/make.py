"""Makes the goldens of distillation: losses, gradients and ten steps of PyTorch against a fixed teacher.

    python testdata/distil/make.py            # the small cases, which are committed
    python testdata/distil/make.py --large DIR  # vocabularies up to 151,936, into another folder

Each case is a folder: the student as Hugging Face stores it, `teacher/` with another shape and the same vocabulary, and
`golden.safetensors`. The loss is weight T^2 KL(teacher || student) at the temperature T, plus (1 - weight) times the
next-token loss, in the mean over counted targets. As in `testdata/parity`, all is computed in float64 from f32 weights,
and stock transformers in float32 must agree.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import make as parity  # noqa: E402

# weight and temperature, by the name that their goldens carry.
SETTINGS = {"distil-1": (1.0, 1.0), "distil-2": (1.0, 2.0), "mix-2": (0.3, 2.0)}
TOLERANCE = {"loss": 1e-5, "gradient": 1e-4, "curve": 2e-5}


def shape(vocabulary, tied, **changes):
    config = dict(hidden_size=16, intermediate_size=28, num_hidden_layers=1, num_attention_heads=2,
                  num_key_value_heads=1, vocab_size=vocabulary, tie_word_embeddings=tied, rms_norm_eps=1e-5,
                  max_position_embeddings=64)
    return config | changes


def case(vocabulary, tied, seed, ignored=0.0, **changes):
    wider = dict(hidden_size=24, num_attention_heads=3, intermediate_size=40)
    teacher = shape(vocabulary, not tied, num_hidden_layers=2, **(changes or wider))
    common = dict(family="llama", version_4=False)
    return dict(seed=seed, batch=2, length=40, ignored=ignored,
                student=dict(seed=seed, config=shape(vocabulary, tied, **changes), **common),
                teacher=dict(seed=seed + 100, config=teacher, **common))


CASES = {"tied-512": case(512, True, 11), "untied-600": case(600, False, 12, ignored=0.2)}
# Narrow, so that the gradients of the head stay at some megabytes.
NARROW = dict(hidden_size=8, intermediate_size=12)
LARGE = {f"{'tied' if tied else 'untied'}-{vocabulary}": case(vocabulary, tied, vocabulary % 97, **NARROW)
         for vocabulary in (4096, 32000, 151936) for tied in (True, False)}


def losses(student, teacher_logits, inputs, targets, weight, temperature):
    logits = student(input_ids=inputs, use_cache=False).logits.flatten(0, 1)
    counted = targets.flatten() != parity.IGNORED
    logits, taught, targets = logits[counted], teacher_logits[counted], targets.flatten()[counted]
    divergence = F.kl_div(F.log_softmax(logits / temperature, -1), F.log_softmax(taught / temperature, -1),
                          log_target=True, reduction="batchmean")
    return weight * temperature ** 2 * divergence + (1 - weight) * F.cross_entropy(logits, targets)


def gradients(student, *given):
    student.zero_grad(set_to_none=True)
    loss = losses(student, *given)
    loss.backward()
    return loss.detach(), {name: parameter.grad.clone() for name, parameter in student.named_parameters()}


def curve(student, *given):
    """Losses before each AdamW step."""
    settings, parameters = parity.ADAMW, list(student.parameters())
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings["weight_decay"]},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"],
                                  betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"], foreach=False)
    found = []
    for _ in range(parity.STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss = losses(student, *given)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings["clip"])
        found.append(loss.item())
        optimizer.step()
    return torch.tensor(found, dtype=torch.float64)


def computed(folder, dtype, inputs, targets, weight, temperature):
    """Loss, gradients and curve, by models in this type."""
    attention = "eager" if dtype == torch.float64 else "sdpa"
    load = lambda path: parity.load(path, dtype, attention)
    with torch.no_grad():
        taught = load(folder / "teacher")(input_ids=inputs, use_cache=False).logits.flatten(0, 1)
    given = (taught, inputs, targets, weight, temperature)
    loss, found = gradients(load(folder), *given)
    return loss, found, curve(load(folder), *given)


def make(name, case, where):
    folder = where / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (folder / "teacher").glob("*"):
        file.unlink()
    if (folder / "teacher").exists():
        (folder / "teacher").rmdir()
    parity.write_folder(folder, case["student"])
    parity.write_folder(folder / "teacher", case["teacher"])
    generator = torch.Generator().manual_seed(1000 + case["seed"])
    vocabulary = case["student"]["config"]["vocab_size"]
    tokens = torch.randint(vocabulary, (case["batch"], case["length"] + 1), generator=generator)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].clone()
    targets[torch.rand(targets.shape, generator=generator) < case["ignored"]] = parity.IGNORED
    tensors = {"inputs": inputs.int(), "targets": targets.int()}
    differences = dict.fromkeys(TOLERANCE, 0.0)
    for setting, (weight, temperature) in SETTINGS.items():
        with parity.exact():
            loss, found, steps = computed(folder, torch.float64, inputs, targets, weight, temperature)
        stock = computed(folder, torch.float32, inputs, targets, weight, temperature)
        for what, difference in {
            "loss": abs(stock[0].item() - loss.item()),
            "gradient": max(parity.relative(stock[1][key], found[key]) for key in found),
            "curve": (stock[2] - steps).abs().max().item(),
        }.items():
            assert difference < TOLERANCE[what], f"{name} {setting}: stock float32 {what} differs by {difference:.2e}"
            differences[what] = max(differences[what], difference)
        tensors[f"loss.{setting}"], tensors[f"curve.{setting}"] = loss.reshape(1), steps
        tensors |= {f"grad.{setting}.{key}": value.float() for key, value in found.items()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "golden.safetensors")
    files = ["config.json", "model.safetensors", "teacher/config.json", "teacher/model.safetensors",
             "golden.safetensors"]
    golden = {
        "format": 1, "case": name, "versions": parity.versions(),
        "settings": {key: {"weight": w, "temperature": t} for key, (w, t) in SETTINGS.items()},
        "adamw": {**parity.ADAMW, "steps": parity.STEPS, "decayed": "weights of two dimensions"},
        "stock_f32_differences": {what: float(f"{value:.1e}") for what, value in differences.items()},
        "sha256": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files},
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=2) + "\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{name}: {size:,} bytes; stock f32 differs by {golden['stock_f32_differences']}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", type=Path, metavar="DIR")
    large = parser.parse_args().large
    torch.manual_seed(0)
    torch.set_num_threads(1)
    parity.disable_progress_bar()
    for name, case in (LARGE if large else CASES).items():
        make(name, case, large or HERE)


main()
