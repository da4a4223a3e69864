"""A corpus folder: `train.bin/.idx` and `heldout.bin/.idx` in Megatron's layout."""

import hashlib
import json

import numpy as np

from .errors import JobError

_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = 34
_WIDTHS = {8: np.dtype("<u2"), 4: np.dtype("<i4")}
_LIMIT = 256 << 20


class Part:
    """The training or the held-out part: documents end to end, each after its begin token."""

    def __init__(self, folder, name, info, vocabulary):
        self.path, index = folder / f"{name}.bin", folder / f"{name}.idx"
        self.vocabulary, self.hash = vocabulary, info["hash"]
        try:
            bytes_ = np.memmap(index, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise JobError(f"`{index}` cannot be read: {error}") from None
        head = bytes(bytes_[:_HEADER])
        if len(head) < _HEADER or head[:9] != _MAGIC or int.from_bytes(head[9:17], "little") != 1:
            raise JobError(f"`{index}` is not an index of version 1 in Megatron's layout")
        if head[17] not in _WIDTHS:
            raise JobError(f"`{index}` has tokens of type {head[17]}, expected 8 (uint16) or 4 (int32)")
        sequences = int.from_bytes(head[18:26], "little")
        entries = int.from_bytes(head[26:34], "little")
        if sequences == 0 or entries != sequences + 1 or len(bytes_) != _HEADER + 12 * sequences + 8 * entries:
            raise JobError(f"`{index}` has {len(bytes_)} bytes for {sequences} sequences and {entries} document indices")
        sizes = np.frombuffer(bytes_, dtype="<i4", count=sequences, offset=_HEADER).astype(np.int64)
        if (sizes <= 0).any():
            raise JobError(f"`{index}` has an empty sequence")
        self.ends = np.cumsum(sizes)
        self.tokens = int(self.ends[-1])
        try:
            self.data = np.memmap(self.path, dtype=_WIDTHS[head[17]], mode="r")
        except (OSError, ValueError) as error:
            raise JobError(f"`{self.path}` cannot be read: {error}") from None
        if len(self.data) != self.tokens:
            raise JobError(f"`{self.path}` has {len(self.data)} tokens, expected {self.tokens} as in `{index.name}`")

    def documents(self):
        """The range of each document, in tokens."""
        start = 0
        for end in self.ends.tolist():
            yield start, end
            start = end

    def read(self, start, length):
        """Tokens from `start` on."""
        tokens = np.asarray(self.data[start : start + length], dtype=np.int64)
        if len(tokens) != length:
            raise JobError(f"`{self.path}` ends before token {start + length}")
        if length and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocabulary:
            raise JobError(f"`{self.path}` has an id outside the vocabulary of {self.vocabulary} after token {start}")
        return tokens

    def verify(self):
        """Holds the bytes against the hash in `corpus.json`."""
        hasher = hashlib.sha256()
        with open(self.path, "rb") as file:
            while chunk := file.read(1 << 24):
                hasher.update(chunk)
        if hasher.hexdigest() != self.hash:
            raise JobError(f"`{self.path}` has the hash {hasher.hexdigest()}, expected {self.hash} as in `corpus.json`")


class Corpus:
    """Both parts, held against the spec of a run."""

    def __init__(self, folder, spec):
        path = folder / "corpus.json"
        try:
            with open(path, "rb") as file:
                info = json.loads(file.read(_LIMIT))
        except OSError as error:
            raise JobError(f"`{path}` cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise JobError(f"`{path}` is not a corpus: {error}") from None
        try:
            found = {"corpus": info["train"]["text"], "heldout": info["heldout"]["text"], "tokenizer": info["tokenizer"]}
            vocabulary = int(info["vocabulary"])
            self.train = Part(folder, "train", info["train"], vocabulary)
            self.heldout = Part(folder, "heldout", info["heldout"], vocabulary)
        except (KeyError, TypeError) as error:
            raise JobError(f"`{path}` is not a corpus: {type(error).__name__}: {error}") from None
        for name, hash_ in found.items():
            if hash_ != spec[name]:
                raise JobError(f"`{path}` has the hash {hash_} of its {name}, expected {spec[name]} as in the run's spec")
