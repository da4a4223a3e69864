#!/usr/bin/env python3
"""Reads a corpus folder with nothing but the standard library, checks its .bin/.idx against each other and against
corpus.json, and prints counts and first tokens. For whoever knows Megatron's files and wants to see ours.

    python3 scripts/check_corpus.py CORPUS [--tokens N] [--decode] [--megatron]

`--decode` turns every document back into text with the Python package `tokenizers` and holds the hash of the text against
corpus.json; the tokenizer must be one that decodes exactly, as byte-level ones do. `--megatron` reads both parts with
Megatron's own `IndexedDataset` (package `megatron-core`, with torch) and compares every document.
"""

import argparse
import array
import hashlib
import json
import os
import struct
import sys

MAGIC = b"MMIDIDX\x00\x00"
TYPES = {8: ("uint16", "H", 2), 4: ("int32", "i", 4)}
CHUNK = 1 << 20


def require(condition, message):
    if not condition:
        raise SystemExit(f"error: {message}")


def take(file, count, code, size):
    """`count` little-endian numbers of type `code`."""
    data = file.read(count * size)
    require(len(data) == count * size, f"`{file.name}` ends early")
    numbers = array.array(code)
    require(numbers.itemsize == size, f"this Python's `{code}` is not {size} bytes")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def read_index(path, bin_size):
    """Name of the token type, its array code and size, sizes in tokens."""
    with open(path, "rb") as file:
        require(file.read(9) == MAGIC, f"`{path}` has another magic")
        version, code = struct.unpack("<QB", file.read(9))
        require(version == 1, f"`{path}` is version {version}, expected 1")
        require(code in TYPES, f"`{path}` has token type {code}, expected 8 or 4")
        sequences, indices = struct.unpack("<QQ", file.read(16))
        expected = 34 + 12 * sequences + 8 * indices
        require(os.path.getsize(path) == expected, f"`{path}` is not {expected} bytes long")
        require(indices == sequences + 1, f"`{path}` has {indices} document indices for {sequences} sequences")
        sizes = take(file, sequences, "i", 4)
        pointers = take(file, sequences, "q", 8)
        documents = take(file, indices, "q", 8)
    name, letter, width = TYPES[code]
    at = 0
    for i, (size, pointer) in enumerate(zip(sizes, pointers)):
        require(size > 0, f"`{path}`: sequence {i} has {size} tokens")
        require(pointer == at, f"`{path}`: sequence {i} begins at byte {pointer}, expected {at}")
        at += size * width
    require(at == bin_size, f"`{path}` ends at byte {at} of {bin_size}")
    require(all(i == index for i, index in enumerate(documents)), f"`{path}`: documents are not one sequence each")
    return name, letter, width, sizes


def check_part(folder, name, info, vocabulary, begin, shown):
    path = os.path.join(folder, name + ".bin")
    kind, letter, width, sizes = read_index(os.path.join(folder, name + ".idx"), os.path.getsize(path))
    tokens = sum(sizes)
    require(len(sizes) == info["documents"], f"`{name}` has {len(sizes)} documents, corpus.json says {info['documents']}")
    require(tokens == info["tokens"], f"`{name}` has {tokens} tokens, corpus.json says {info['tokens']}")
    digest = hashlib.sha256()
    begins, at, smallest, largest = [], 0, vocabulary, -1
    starts = iter(sizes)
    next_start = 0
    first = None
    with open(path, "rb") as file:
        while at < tokens:
            chunk = take(file, min(CHUNK, tokens - at), letter, width)
            file_bytes = chunk
            if sys.byteorder == "big":
                file_bytes = array.array(letter, chunk)
                file_bytes.byteswap()
            digest.update(file_bytes.tobytes())
            smallest, largest = min(smallest, min(chunk)), max(largest, max(chunk))
            if first is None:
                first = chunk[:shown].tolist()
            while next_start < at + len(chunk):
                begins.append(chunk[next_start - at])
                next_start += next(starts)
            at += len(chunk)
    require(0 <= smallest and largest < vocabulary, f"`{path}` has token ids {smallest}..{largest}, vocabulary {vocabulary}")
    require(digest.hexdigest() == info["hash"], f"`{path}` has another hash than corpus.json says")
    odd = sum(token != begin for token in begins)
    require(odd == 0, f"{odd} documents of `{name}` do not begin with token {begin}")
    mean = tokens / len(sizes)
    print(f"{name}: {len(sizes)} documents, {tokens} tokens ({kind}), {info['bytes']} bytes of text, {mean:.1f} tokens a document")
    print(f"  ids {smallest}..{largest}, begins {first}")


def documents(folder, name):
    """Every document's tokens, the begin token first."""
    path = os.path.join(folder, name + ".bin")
    _, letter, width, sizes = read_index(os.path.join(folder, name + ".idx"), os.path.getsize(path))
    with open(path, "rb") as file:
        for size in sizes:
            yield take(file, size, letter, width)


def check_text(folder, name, info):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    digest, length = hashlib.sha256(), 0
    for tokens in documents(folder, name):
        text = tokenizer.decode(tokens[1:].tolist(), skip_special_tokens=False).encode()
        digest.update(hashlib.sha256(text).digest())
        length += len(text)
    require(length == info["bytes"], f"`{name}` decodes to {length} bytes of text, corpus.json says {info['bytes']}")
    require(digest.hexdigest() == info["text"], f"`{name}` decodes to another text than corpus.json says")
    print(f"{name}: decodes to the text that was read")


def check_megatron(folder, name):
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    theirs = IndexedDataset(os.path.join(folder, name))
    count = 0
    for i, tokens in enumerate(documents(folder, name)):
        require(i < len(theirs) and theirs[i].tolist() == tokens.tolist(), f"`{name}`: Megatron reads another document {i}")
        count += 1
    require(len(theirs) == count, f"`{name}`: Megatron reads {len(theirs)} documents, expected {count}")
    require(list(theirs.document_indices) == list(range(count + 1)), f"`{name}`: Megatron sees other documents")
    print(f"{name}: Megatron reads the same {count} documents")


def main():
    parser = argparse.ArgumentParser(description="check a corpus folder")
    parser.add_argument("corpus", help="the folder with train.bin, heldout.bin, corpus.json")
    parser.add_argument("--tokens", type=int, default=16, help="how many first tokens to print")
    parser.add_argument("--decode", action="store_true", help="decode every document and check the hash of the text")
    parser.add_argument("--megatron", action="store_true", help="compare with what Megatron's own reader reads")
    given = parser.parse_args()
    with open(os.path.join(given.corpus, "corpus.json"), encoding="utf-8") as file:
        info = json.load(file)
    require(info["format"] == 1, f"corpus.json is format {info['format']}, expected 1")
    with open(os.path.join(given.corpus, "tokenizer.json"), "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    require(found == info["tokenizer"], "corpus tokenised with another tokenizer")
    begin = info["begin"]
    print(f"vocabulary {info['vocabulary']}, begin token {begin['id']} `{begin['text']}`, held-out share {info['split']['share']}")
    for name in ["train", "heldout"]:
        check_part(given.corpus, name, info[name], info["vocabulary"], begin["id"], given.tokens)
        if given.decode:
            check_text(given.corpus, name, info[name])
        if given.megatron:
            check_megatron(given.corpus, name)
    print("consistent")


if __name__ == "__main__":
    main()
