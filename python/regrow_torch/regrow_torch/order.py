"""The order in which training text is read, the same as regrow's own trainer reads it.

Adjacent windows of the training text, shuffled again for every epoch by a Fisher-Yates shuffle
whose random numbers come from ChaCha with 8 rounds. The seed of the generator comes from the run's
seed as in ``seed_from_u64`` of Rust's ``rand_core``; the stream of the generator is the epoch.
"""

import numpy as np

from .errors import JobError

_MASK = (1 << 64) - 1
# Blocks of the generator that are computed at once: 16 numbers of 32 bits a block.
_BLOCKS = 1 << 16


class Order:
    """Gives the n-th sequence of a run, whatever was read before."""

    def __init__(self, part, context, seed):
        # One token less, because the last window also needs a target after it.
        self.windows = (part.tokens - 1) // context
        if not 0 < self.windows < 1 << 32:
            raise JobError(
                f"the training text has {part.tokens} tokens, expected {context + 1} to 2^32 windows of {context}"
            )
        self.part, self.context, self.seed = part, context, seed
        self._epoch, self._shuffled = None, None

    def read(self, n):
        """Sequence number `n` of the run: `context + 1` tokens."""
        return self.part.read(self.window(n) * self.context, self.context + 1)

    def window(self, n):
        """Which window of the text sequence number `n` is."""
        epoch, at = divmod(n, self.windows)
        if epoch != self._epoch:
            self._shuffled, self._epoch = shuffled(self.windows, self.seed, epoch), epoch
        return int(self._shuffled[at])


def shuffled(count, seed, epoch):
    """A permutation of `0..count`, as an array."""
    random = _random(seed, epoch, max(0, count - 1))
    # The k-th number chooses among the first `count - k` places. A widening multiplication maps 64
    # random bits to them; its upper half is computed in two halves of 32 bits.
    choices = np.arange(count, 1, -1, dtype=np.uint64)
    low = (random & np.uint64(0xFFFFFFFF)) * choices >> np.uint64(32)
    chosen = ((random >> np.uint64(32)) * choices + low) >> np.uint64(32)
    order = list(range(count))
    last = count - 1
    for at in chosen.tolist():
        order[last], order[at] = order[at], order[last]
        last -= 1
    return np.asarray(order, dtype=np.uint32)


def _random(seed, stream, count):
    """The first `count` numbers of 64 bits of a stream."""
    key = _key(seed)
    blocks = -(-count // 8)
    parts = [
        _chacha8(key, np.arange(start, min(start + _BLOCKS, blocks), dtype=np.uint64), stream)
        for start in range(0, blocks, _BLOCKS)
    ]
    words = np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)
    return (words[0::2] | words[1::2] << np.uint64(32))[:count]


def _key(seed):
    """Eight words of 32 bits, from a generator PCG-XSH-RR with 64 bits of state."""
    state, words = seed & _MASK, []
    for _ in range(8):
        state = (state * 6364136223846793005 + 11634580027462260723) & _MASK
        shifted = ((state >> 18) ^ state) >> 27 & 0xFFFFFFFF
        turn = state >> 59
        words.append((shifted >> turn | shifted << (-turn & 31)) & 0xFFFFFFFF)
    return words


def _chacha8(key, counters, stream):
    """The words of blocks, end to end, as 64-bit numbers below 2^32."""
    n = len(counters)
    fixed = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key]
    start = np.empty((16, n), dtype=np.uint32)
    for row, word in enumerate(fixed):
        start[row] = word
    start[12], start[13] = counters & np.uint64(0xFFFFFFFF), counters >> np.uint64(32)
    start[14], start[15] = stream & 0xFFFFFFFF, stream >> 32 & 0xFFFFFFFF
    x = start.copy()

    def quarter(a, b, c, d):
        for into, add, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[into] += x[add]
            x[turned] ^= x[into]
            x[turned] = x[turned] << np.uint32(by) | x[turned] >> np.uint32(32 - by)

    for _ in range(4):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return (x + start).T.astype(np.uint64).reshape(-1)
