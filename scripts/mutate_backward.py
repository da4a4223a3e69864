#!/usr/bin/env python3
"""Shows that the tests of the backward passes can fail: drops one term at a time and runs the test that must notice.

Works in a copy of the workspace, so the tree is never touched. Fails where a mutation's text is not found exactly
once, where it does not compile, or where no test notices it. Prints a table for docs/log.md.

    scripts/mutate_backward.py [--commit COMMIT] [--target FOLDER] [--only WORD]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU = "crates/model/src/backend/cpu/"
DECODER = "crates/model/src/decoder/"
PARITY = ["-p", "regrow-model", "--test", "parity"]
STEPS = ["-p", "regrow-train", "--test", "parity"]


def unit(operation):
    return ["-p", "regrow-model", "--lib", f"backend::cpu::{operation}::"]


# Operation, what is dropped, file, text, its replacement, the tests that must notice.
MUTATIONS = [
    ("norm", "the part of the gradient along x", CPU + "norm.rs",
     "inverse * (out_grad * weight - x * along)", "inverse * (out_grad * weight)", unit("norm")),
    ("norm", "the factor 1 / rms of the weight's gradient", CPU + "norm.rs",
     "weight_grad + out_grad * x * inverse,", "weight_grad + out_grad * x,", unit("norm")),
    ("norm", "what the stream's gradient held (the residual)", CPU + "norm.rs",
     "x_grad + inverse * (", "T::ZERO * x_grad + inverse * (", PARITY),
    ("bias", "the first row of the sum", CPU + "bias.rs",
     "for row in x_grad.chunks_exact(columns) {", "for row in x_grad.chunks_exact(columns).skip(1) {", unit("bias")),
    ("rotary", "the sine of the inverse turn", CPU + "rotary.rs",
     "if rotation.inverse { -sine }", "if rotation.inverse { T::ZERO }", unit("rotary")),
    ("rotary", "the sign of the inverse turn", CPU + "rotary.rs",
     "if rotation.inverse { -sine }", "if rotation.inverse { sine }", unit("rotary")),
    ("attention", "rowsum(dO O)", CPU + "attention/backward.rs",
     "probability * (*grad - along) * scale", "probability * *grad * scale", unit("attention")),
    ("attention", "1 / sqrt(dim) of dS", CPU + "attention/backward.rs",
     "probability * (*grad - along) * scale", "probability * (*grad - along)", unit("attention")),
    ("attention", "earlier blocks and heads of dV and dK", CPU + "attention/backward.rs",
     "multiply(kernel, left, right, steps - from, target, K::Number::ONE, true);",
     "multiply(kernel, left, right, steps - from, target, K::Number::ONE, false);", unit("attention")),
    ("attention", "rows that see a key, but not the first of their block", CPU + "attention/backward.rs",
     "let from = (seen.start + keys.start).saturating_sub(block.start) / K::STEP;",
     "let from = (seen.start + keys.start + 1).saturating_sub(block.start) / K::STEP;", unit("attention")),
    ("attention", "dQ", CPU + "attention/backward.rs",
     "                right,\n                steps,\n                target,\n                K::Number::ONE,\n",
     "                right,\n                steps,\n                target,\n                K::Number::ZERO,\n",
     unit("attention")),
    ("attention", "dQ of earlier blocks of keys", CPU + "attention/backward.rs",
     "                K::Number::ONE,\n                seen.start > 0,\n",
     "                K::Number::ONE,\n                false,\n", unit("attention")),
    ("attention", "the mask of P", CPU + "attention/backward.rs",
     "                    hide::<K>(line, visible);\n", "", unit("attention")),
    ("attention", "the mask of dS", CPU + "attention/backward.rs",
     "                    hide::<K>(grad, visible);\n", "", unit("attention")),
    ("swiglu", "the second term of silu's slope", CPU + "swiglu.rs",
     "sigmoid * (T::ONE + gate * (T::ONE - sigmoid))", "sigmoid", unit("swiglu")),
    ("swiglu", "the factor of up's gradient", CPU + "swiglu.rs",
     "grad * up * slope, grad * silu]", "grad * up * slope, grad * sigmoid]", unit("swiglu")),
    ("swiglu", "the output given back", CPU + "swiglu.rs",
     "[silu * up, grad", "[grad, grad", unit("swiglu")),
    ("embedding", "earlier places of a token", CPU + "embedding.rs",
     "*row += grad;", "*row = grad;", unit("embedding")),
    ("loss", "the one at the target", CPU + "loss.rs",
     "row[target as usize] = row[target as usize] - scale;", "", unit("loss")),
    ("loss", "the softmax", CPU + "loss.rs",
     "let factor = scale / sum;", "let factor = T::ZERO * sum;", unit("loss")),
    ("loss", "the zero of an ignored row", CPU + "loss.rs",
     "row.fill(T::ZERO);", "let _ = &row;", unit("loss")),
    ("product", "what the target held", CPU + "product.rs",
     "matrix(a), matrix(b), c, accumulate);", "matrix(a), matrix(b), c, false && accumulate);", unit("product")),
    ("product", "earlier parts of the summed index", CPU + "kernel/blocked.rs",
     "let add = add || from > 0;", "let add = add || from > DEPTH;", unit("kernel::blocked")),
    ("sums", "all partial sums but the first", CPU + "sums.rs",
     "for row in partial {", "for row in &partial[..1] {", STEPS),
    ("distil", "the teacher's part", CPU + "distil.rs",
     "*value = own * student - power * taught;", "*value = own * student;", unit("distil")),
    ("distil", "the text's softmax at temperature 1", CPU + "distil.rs",
     "*value += below.exp() * plain;", "", unit("distil")),
    ("distil", "the share of all others", CPU + "distil.rs",
     "of_student - gradient * (share_of_others / others)", "of_student", unit("distil")),
    ("distil", "the share of a known token", CPU + "distil.rs",
     "- gradient * share + plain * of_text;", "+ plain * of_text;", unit("distil")),
    ("decoder", "the embedding's gradient", DECODER + "gradients.rs",
     "self.backend.embed_backward(stream, &read.tokens, table)?;", "let _ = (stream, table);", PARITY),
    ("decoder", "the head's earlier chunks", DECODER + "head.rs",
     "gradients.add || start > 0", "gradients.add", PARITY),
    ("decoder", "the inverse rotation", DECODER + "backward.rs",
     "self.rotate(&mut grads.qkv, shape, places, true)?;", "", PARITY),
    ("decoder", "the gradient of the down projection", DECODER + "backward.rs",
     "backend.product(\n            stream.t(),\n            inner,\n            ViewMut::new(gradients.buffer, parts.down),\n"
     "            gradients.add,\n        )?;", "let _ = inner;", PARITY),
    ("decoder", "what earlier micro-batches gave", DECODER + "backward.rs",
     "            ViewMut::new(gradients.buffer, matrix),\n            gradients.add,\n",
     "            ViewMut::new(gradients.buffer, matrix),\n            false,\n", PARITY),
    ("decoder", "the residual around attention", DECODER + "block.rs",
     "matrix(parts.attention_output).t(), target, true)?;", "matrix(parts.attention_output).t(), target, false)?;",
     PARITY),
    ("decoder", "the beginning of sums at zero", DECODER + "gradients.rs",
     "self.clear_sums(gradients)?;", "", PARITY),
]


def cargo(folder, target, arguments):
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target), RUSTFLAGS=os.environ.get("RUSTFLAGS", ""))
    command = ["cargo", "test", "--locked", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def parts(arguments):
    """The arguments that choose what is built, and the filter of tests, if there is one."""
    return (arguments[:-1], arguments[-1:]) if "::" in arguments[-1] else (arguments, [])


def failing(folder, target, arguments):
    """The tests that fail, by name; stops where the code does not compile."""
    built, chosen = parts(arguments)
    compiled = cargo(folder, target, [*built, "--no-run"])
    if compiled.returncode != 0:
        sys.exit(f"does not compile:\n{compiled.stderr}")
    ran = cargo(folder, target, [*built, "--", *chosen])
    names = re.findall(r"^test (\S+) \.\.\. FAILED$", ran.stdout, re.MULTILINE)
    passed = re.findall(r"^test (\S+) \.\.\. ok$", ran.stdout, re.MULTILINE)
    if not names and not passed:
        sys.exit(f"no test ran: cargo test {' '.join(arguments)}\n{ran.stdout}{ran.stderr}")
    if bool(names) != (ran.returncode != 0):
        sys.exit(f"tests ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return sorted(names)


def rounds(mutations):
    """Groups of mutations that are built together: an operation's own tests see no other file's mutation, so one a file
    where these judge; where the whole network judges, one at a time."""
    groups = []
    for mutation in mutations:
        alone = mutation[5] in (PARITY, STEPS)
        fits = (group for group in groups if not alone and group[0][5] not in (PARITY, STEPS)
                and mutation[2] not in [other[2] for other in group])
        group = next(fits, None)
        if group is None:
            groups.append([mutation])
        else:
            group.append(mutation)
    return groups


def copy_workspace(folder, commit):
    names = ("Cargo.toml", "Cargo.lock", "crates", "testdata")
    folder.mkdir()
    if commit:
        archive = subprocess.run(["git", "archive", commit, *names], cwd=ROOT, stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
        return
    for name in names:
        copy = shutil.copytree if Path(ROOT, name).is_dir() else shutil.copy
        copy(Path(ROOT, name), Path(folder, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=Path, help="where to build; a temporary folder if not given")
    parser.add_argument("--commit", help="take this commit, not the files as they lie")
    parser.add_argument("--only", default="", help="mutations whose operation contains this word")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if options.only in mutation[0]]
    missed = []
    with tempfile.TemporaryDirectory(prefix="mutate-") as temporary:
        folder = Path(temporary, "workspace")
        copy_workspace(folder, options.commit)
        target = (options.target or Path(temporary, "target")).resolve()
        for operation, dropped, path, text, _, _ in chosen:
            found = Path(folder, path).read_text().count(text)
            if found != 1:
                sys.exit(f"{operation}, {dropped}: `{text}` stands {found} times in {path}, expected once")
        for arguments in sorted({tuple(mutation[5]) for mutation in chosen}):
            names = failing(folder, target, list(arguments))
            if names:
                sys.exit(f"fails before anything is dropped: {', '.join(names)}")
        rows = {}
        for together in rounds(chosen):
            originals = {path: Path(folder, path).read_text() for _, _, path, _, _, _ in together}
            for _, _, path, text, replacement, _ in together:
                Path(folder, path).write_text(originals[path].replace(text, replacement))
            for operation, dropped, _, _, _, arguments in together:
                names = failing(folder, target, arguments)
                if not names:
                    missed.append(f"{operation}: {dropped}")
                shown = ", ".join(f"`{name.removeprefix('backend::cpu::')}`" for name in names) or "**none**"
                rows[operation, dropped] = f"| {operation} | {dropped} | {shown} |"
                print(f"{operation}, {dropped}: {shown}", file=sys.stderr)
            for path, original in originals.items():
                Path(folder, path).write_text(original)
    print("| operation | what is dropped | test that fails |")
    print("|---|---|---|")
    for operation, dropped, *_ in chosen:
        print(rows[operation, dropped])
    if missed:
        sys.exit("not noticed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
