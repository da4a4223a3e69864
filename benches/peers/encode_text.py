"""Both sides of the comparison `text_tokens`, and the text that they read.

    python benches/peers/encode_text.py make REGROW FOLDER...   text and a tokenizer, from the .txt and .jsonl of folders
    python benches/peers/encode_text.py library FILE            the library's `encode_batch`, the documents in memory
    python benches/peers/encode_text.py regrow REGROW FILE      `regrow tokenize`, start and end of the process included

The last two take another `tokenizer.json` as a last argument.

Files are `50.*` and `200.*` (MiB of text) in `target/peers/text`: the same documents as .txt, .jsonl, .jsonl.gz,
.jsonl.zst and .parquet. The programs gzip and zstd, and pyarrow, make the packed ones.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

TEXT = pathlib.Path("target/peers/text")
TOKENIZER = TEXT / "tokenizer.json"
SEPARATOR = "<|endoftext|>"
SIZES = [50, 200]
# A chapter or so of a book.
LONG = 6000


def documents(folders):
    """Lines of JSONL, and plain text cut at separators or, where it is long, at paragraphs."""
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix == ".jsonl":
                with open(path, encoding="utf-8") as file:
                    yield from (json.loads(line)["text"] for line in file if line.strip())
            elif path.suffix == ".txt":
                for part in path.read_text(encoding="utf-8", errors="replace").split(SEPARATOR):
                    piece = ""
                    for paragraph in part.split("\n\n"):
                        piece += paragraph + "\n\n"
                        if len(piece) > LONG:
                            yield piece
                            piece = ""
                    yield piece


def make(regrow, *folders):
    import pyarrow
    import pyarrow.parquet

    TEXT.mkdir(parents=True, exist_ok=True)
    known = [text for text in (text.replace(SEPARATOR, "").strip() for text in documents(folders)) if text]
    print(f"{len(known)} documents, {sum(len(text.encode()) for text in known)} bytes")
    order = random.Random(1)
    for size in SIZES:
        taken, left = [], size << 20
        while left > 0:
            for text in order.sample(known, len(known)):
                taken.append(text)
                left -= len(text.encode())
                if left <= 0:
                    break
        plain = TEXT / f"{size}.jsonl"
        with open(plain, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": i, "text": text}, ensure_ascii=False) + "\n" for i, text in enumerate(taken))
        (TEXT / f"{size}.txt").write_text(f"\n{SEPARATOR}\n".join(taken), encoding="utf-8")
        table = pyarrow.table({"id": list(range(len(taken))), "text": taken})
        pyarrow.parquet.write_table(table, TEXT / f"{size}.parquet", row_group_size=20_000)
        subprocess.run(["gzip", "-kf", plain], check=True)
        subprocess.run(["zstd", "-qkf", plain], check=True)
    if not TOKENIZER.exists():
        corpus = TEXT / "corpus"
        subprocess.run([regrow, "tokenize", TEXT / "50.jsonl", "--vocabulary", "8192", "--out", corpus], check=True)
        shutil.copy(corpus / "tokenizer.json", TOKENIZER)
        shutil.rmtree(corpus)


def library(path, tokenizer=TOKENIZER):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer))
    plain = TEXT / (pathlib.Path(path).name.split(".")[0] + ".jsonl")
    with open(plain, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    count, begun = 0, time.perf_counter()
    for i in range(0, len(texts), 1000):
        encodings = tokenizer.encode_batch_fast(texts[i : i + 1000], add_special_tokens=False)
        count += sum(len(encoding) for encoding in encodings)
    return count, sum(len(text.encode()) for text in texts), time.perf_counter() - begun


def ours(regrow, path, tokenizer=TOKENIZER):
    with tempfile.TemporaryDirectory(dir=TEXT) as folder:
        command = [regrow, "tokenize", path, "--tokenizer", tokenizer, "--separator", SEPARATOR, "--threads", "2",
                   "--out", f"{folder}/corpus", "--json", "--quiet"]
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
    parts = [json.loads(done.stdout)[part] for part in ("train", "heldout")]
    # The token before each document is of no text.
    return sum(part["tokens"] - part["documents"] for part in parts), sum(part["bytes"] for part in parts), seconds


def main():
    what, *arguments = sys.argv[1:]
    if what == "make":
        return make(*arguments)
    tokens, size, seconds = {"library": library, "regrow": ours}[what](*arguments)
    figures = {"megabytes_per_second": size / seconds / 1e6, "tokens_per_second": tokens / seconds, "tokens": tokens}
    print(json.dumps(figures))


main()
