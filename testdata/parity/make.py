"""Makes the goldens for parity with PyTorch and transformers.

    python testdata/parity/make.py [CASE ...]

Each case becomes a folder beside this file: a tiny random model as Hugging Face stores it (`config.json`,
`model.safetensors` in f32) with `golden.safetensors` and `golden.json`; README.md says what these hold.

The model is loaded back from the folder just written, so the goldens describe the files and not what was in memory.
The goldens are computed in float64 from the f32 weights, so that they are exact to the last bit of f32. Stock
transformers falls back to float32 in three places even in a float64 model: RMSNorm, the rotary angles, and the softmax
of eager attention. `exact` replaces these three by the same formulas in float64, and `check_against_stock` then runs
stock transformers in float32 and stops when it is further off than the tolerances that the README promises.
`check_that_errors_show` breaks the model in ways a reader could get wrong, and stops when one of them would pass.

Seeded and on one thread: two runs with the same versions write the same bytes.
"""

import contextlib
import hashlib
import json
import math
import platform
import sys
from pathlib import Path
from unittest import mock

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2
from transformers.utils.logging import disable_progress_bar

HERE = Path(__file__).resolve().parent
IGNORED = -1  # a target that is not counted
TOLERANCE = {"logits": 1e-5, "loss": 1e-5, "gradient": 1e-4, "curve": 1e-5}
ADAMW = {"learning_rate": 5e-3, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1, "clip": 1.0}
STEPS = 10
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}

# `config` goes to transformers; `batch` and `length` are those of the token ids; `ignored` is a share of the targets.
# Seeds and gains are chosen so that rounding in float32 stays at about half the tolerance: at seed 5 `llama-long` has
# positions so sensitive that stock transformers itself strays by 7e-6.
CASES = {
    "llama-tied": dict(
        family="llama", seed=1, batch=2, length=97, ignored=0.0, version_4=False,
        config=dict(hidden_size=32, intermediate_size=52, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, vocab_size=67, tie_word_embeddings=True, rms_norm_eps=1e-5,
                    max_position_embeddings=256)),
    "llama-untied-scaled": dict(
        family="llama", seed=2, batch=1, length=150, ignored=0.0, version_4=True,
        config=dict(hidden_size=30, intermediate_size=44, num_hidden_layers=2, num_attention_heads=3,
                    num_key_value_heads=3, head_dim=24, vocab_size=61, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    max_position_embeddings=512, rope_parameters={"rope_theta": 500000.0, **LLAMA3})),
    "qwen2-tied": dict(
        family="qwen2", seed=3, batch=2, length=80, ignored=0.0, version_4=False,
        config=dict(hidden_size=36, intermediate_size=56, num_hidden_layers=2, num_attention_heads=6,
                    num_key_value_heads=2, vocab_size=73, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    max_position_embeddings=256, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    "qwen2-untied-odd": dict(
        family="qwen2", seed=4, batch=3, length=71, ignored=0.2, version_4=False,
        config=dict(hidden_size=22, intermediate_size=37, num_hidden_layers=3, num_attention_heads=5,
                    num_key_value_heads=1, head_dim=6, vocab_size=131, tie_word_embeddings=False, rms_norm_eps=1e-4,
                    max_position_embeddings=128, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    "llama-long": dict(
        family="llama", seed=6, batch=8, length=131, ignored=0.0, version_4=False,
        config=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                    num_key_value_heads=1, vocab_size=601, tie_word_embeddings=True, rms_norm_eps=1e-5,
                    max_position_embeddings=512)),
}


def fill(model, generator):
    """Random weights, large enough that attention and gates are far from trivial."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            value = 1 + 0.2 * noise
        elif parameter.dim() == 1:
            value = 0.3 * noise
        else:
            gain = 1.2 if "q_proj" in name or "k_proj" in name else 0.8
            value = gain / math.sqrt(parameter.shape[1]) * noise
        parameter.data.copy_(value)


def write_folder(folder, case):
    """The model folder; nothing of transformers' own that a reader of weights does not need."""
    families = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
    config_class, model_class = families[case["family"]]
    model = model_class(config_class(bos_token_id=1, eos_token_id=2, **case["config"]))
    fill(model, torch.Generator().manual_seed(case["seed"]))
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if case["version_4"]:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        rope = config.pop("rope_parameters")
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = rope
        config["torch_dtype"] = config.pop("dtype")
        del config["transformers_version"]
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def load(folder, dtype, attention):
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True)
    wrong = {kind: keys for kind, keys in report.items() if keys}
    assert not wrong, f"{folder.name}: {wrong}"
    return model.to(dtype).eval()


def exact_norm(self, hidden):
    variance = hidden.pow(2).mean(-1, keepdim=True)
    return self.weight * (hidden * torch.rsqrt(variance + self.variance_epsilon))


def exact_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **_):
    key = key.repeat_interleave(module.num_key_value_groups, dim=1)
    value = value.repeat_interleave(module.num_key_value_groups, dim=1)
    length = query.shape[2]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = (query @ key.transpose(2, 3) * scaling).masked_fill(future, -math.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2).contiguous(), None


def exact_frequencies(config):
    """Radians a position for each rotary pair, by the formulas of `transformers.modeling_rope_utils`."""
    rope = config.rope_parameters
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim
    frequencies = float(rope["rope_theta"]) ** -exponents
    if rope["rope_type"] == "default":
        return frequencies
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    regimes = {"kept": turns > high, "blended": (turns <= high) & (turns >= low), "divided": turns < low}
    assert all(regime.any() for regime in regimes.values()), "a wavelength regime does not occur"
    keep = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * keep + frequencies / rope["factor"] * (1 - keep)


def exact_rotary(self, x, position_ids):
    frequencies = exact_frequencies(self.config)
    assert torch.allclose(frequencies, self.original_inv_freq.double(), rtol=1e-6, atol=0)
    angles = position_ids[..., None].double() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


@contextlib.contextmanager
def exact():
    """Inside, eager models of both families stay in the type of their weights throughout."""
    with contextlib.ExitStack() as stack:
        for module, prefix in ((modeling_llama, "Llama"), (modeling_qwen2, "Qwen2")):
            stack.enter_context(mock.patch.object(getattr(module, prefix + "RMSNorm"), "forward", exact_norm))
            stack.enter_context(mock.patch.object(getattr(module, prefix + "RotaryEmbedding"), "forward", exact_rotary))
            stack.enter_context(mock.patch.object(module, "eager_attention_forward", exact_attention))
        yield


def loss_of(model, inputs, targets):
    logits = model(input_ids=inputs, use_cache=False).logits.flatten(0, 1)
    return logits, F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED)


def forward_backward(model, inputs, targets):
    model.zero_grad(set_to_none=True)
    logits, loss = loss_of(model, inputs, targets)
    loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return logits.detach(), loss.detach(), gradients


def train(model, inputs, targets):
    """Losses before each AdamW step, and gradient norms before clipping."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": ADAMW["weight_decay"]},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=ADAMW["learning_rate"], betas=(ADAMW["beta1"], ADAMW["beta2"]),
                                  eps=ADAMW["epsilon"], foreach=False)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        _, loss = loss_of(model, inputs, targets)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, ADAMW["clip"]).item())
        losses.append(loss.item())
        optimizer.step()
    return torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64)


def rows_to_show(batch, length):
    """Rows of [batch x length] whose logits are kept: first and last, both sides of every block and sequence edge."""
    rows = batch * length
    edges = [0, 32, *range(64, length, 64), *range(length, rows, length), *range(512, rows, 512), rows]
    return sorted({row for edge in edges for row in (edge - 1, edge) if 0 <= row < rows})


def relative(found, expected):
    return ((found.double() - expected).abs().max() / expected.abs().max()).item()


def check_against_stock(folder, inputs, targets, logits, loss, gradients, curve):
    model = load(folder, torch.float32, "sdpa")
    stock_logits, stock_loss, stock_gradients = forward_backward(model, inputs, targets)
    stock_curve, _ = train(model, inputs, targets)
    differences = {
        "logits": (stock_logits.double() - logits).abs().max().item(),
        "loss": abs(stock_loss.item() - loss.item()),
        "gradient": max(relative(stock_gradients[name], gradients[name]) for name in gradients),
        "curve": (stock_curve - curve).abs().max().item(),
    }
    for what, difference in differences.items():
        assert difference < TOLERANCE[what], f"{folder.name}: stock float32 {what} differs by {difference:.2e}"
    return stock_loss.float(), differences


def check_that_errors_show(folder, inputs, targets, logits):
    """What each likely mistake would do to the logits: ten times the tolerance at least."""
    def broken(change):
        model = load(folder, torch.float64, "eager")
        with torch.no_grad(), exact():
            change(model)
            return (loss_of(model, inputs, targets)[0] - logits).abs().max().item()

    def interleave_heads(model):
        # Query head h reads key head h % groups instead of h / groups.
        for layer in model.model.layers:
            attention, config = layer.self_attn, model.config
            for linear in (attention.k_proj, attention.v_proj):
                heads = linear.weight.view(config.num_key_value_heads, -1, config.hidden_size)
                linear.weight.data = heads.repeat(attention.num_key_value_groups, 1, 1).flatten(0, 1)
                if linear.bias is not None:
                    linear.bias.data = linear.bias.repeat(attention.num_key_value_groups)
            attention.num_key_value_groups = 1

    def pair_neighbours(model):
        # Rotates components 2i and 2i+1 together instead of the two halves.
        for layer in model.model.layers:
            for linear in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                rows = torch.arange(linear.out_features).view(-1, layer.self_attn.head_dim // 2, 2)
                rows = rows.transpose(1, 2).flatten()
                linear.weight.data = linear.weight[rows]
                if linear.bias is not None:
                    linear.bias.data = linear.bias[rows]

    def theta(model):
        rope = model.config.rope_parameters
        rope["rope_theta"] = 10000.0 if rope["rope_theta"] != 10000.0 else 20000.0
        model.model.rotary_emb.original_inv_freq = exact_frequencies(model.config)

    def unscaled(model):
        model.config.rope_parameters["rope_type"] = "default"
        model.model.rotary_emb.original_inv_freq = exact_frequencies(model.config)

    def epsilon(model):
        for module in model.modules():
            if hasattr(module, "variance_epsilon"):
                module.variance_epsilon *= 10

    config = load(folder, torch.float64, "eager").config
    mistakes = {"another theta": theta, "ten times the epsilon": epsilon, "rotary pairs of neighbours": pair_neighbours}
    if config.rope_parameters["rope_type"] == "llama3":
        mistakes["no rope scaling"] = unscaled
    if config.num_key_value_heads not in (1, config.num_attention_heads):
        mistakes["key heads interleaved"] = interleave_heads
    for name, _ in load(folder, torch.float64, "eager").named_parameters():
        if name.endswith("bias"):
            mistakes[f"no {name}"] = lambda model, name=name: model.get_parameter(name).zero_()
    effects = {name: broken(change) for name, change in mistakes.items()}
    for name, effect in effects.items():
        assert effect > 10 * TOLERANCE["logits"], f"{folder.name}: {name} would pass: {effect:.2e}"
    return min(effects.values())


def make(name, case):
    folder = HERE / name
    write_folder(folder, case)
    batch, length, vocabulary = case["batch"], case["length"], case["config"]["vocab_size"]
    generator = torch.Generator().manual_seed(1000 + case["seed"])
    tokens = torch.randint(vocabulary, (batch, length + 1), generator=generator)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].clone()
    targets[torch.rand(targets.shape, generator=generator) < case["ignored"]] = IGNORED

    with exact():
        model = load(folder, torch.float64, "eager")
        logits, loss, gradients = forward_backward(model, inputs, targets)
        curve, norms = train(model, inputs, targets)
    for parameter, gradient in gradients.items():
        assert gradient.abs().max() > 1e-5, f"{name}: {parameter} has next to no gradient"
    stock_loss, differences = check_against_stock(folder, inputs, targets, logits, loss, gradients, curve)
    weakest = check_that_errors_show(folder, inputs, targets, logits)

    rows = rows_to_show(batch, length)
    tensors = {
        "inputs": inputs.int(), "targets": targets.int(), "positions": torch.tensor(rows, dtype=torch.int32),
        "logits": logits[rows].float(), "loss": loss.float(), "loss_f32": stock_loss,
        "curve": curve, "grad_norm": norms,
        **{f"grad.{parameter}": gradient.float() for parameter, gradient in gradients.items()},
    }
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "golden.safetensors")
    files = ["config.json", "model.safetensors", "golden.safetensors"]
    golden = {
        "format": 1,
        "case": name,
        "versions": versions(),
        "seed": case["seed"],
        "batch": batch, "length": length, "counted_targets": int((targets != IGNORED).sum()),
        "adamw": {**ADAMW, "steps": STEPS, "decayed": "weights of two dimensions"},
        "tolerance": TOLERANCE,
        "loss": loss.item(), "curve": curve.tolist(), "grad_norm": norms.tolist(),
        "stock_f32_differences": {what: float(f"{value:.1e}") for what, value in differences.items()},
        "sha256": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files},
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=2) + "\n")
    size = sum(file.stat().st_size for file in folder.iterdir())
    found = ", ".join(f"{what} {value:.1e}" for what, value in differences.items())
    print(f"{name}: loss {curve[0]:.4f} to {curve[-1]:.4f}, {size:,} bytes; "
          f"largest logit {logits.abs().max():.1f}; stock f32 differs by {found}; "
          f"the least visible mistake moves a logit by {weakest:.1e}")
    return size


def versions():
    return {"python": platform.python_version(), "numpy": numpy.__version__, "safetensors": safetensors.__version__,
            "torch": torch.__version__, "transformers": transformers.__version__}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    disable_progress_bar()
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    wanted = sys.argv[1:] or list(CASES)
    total = sum(make(name, CASES[name]) for name in wanted)
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main()
