"""The learning rate: warm-up, constant, and an optional decay at the end."""


def at(schedule, seen, step, total):
    """The factor on the peak rate for the step that begins after `seen` of `total` tokens, and its phase.

    Warm-up rises linearly and reaches the peak with its last step. Decay falls linearly towards 0. `step` is the number
    of tokens of a step.
    """
    warmup, decay = schedule["warmup"], schedule["decay"]
    if seen < warmup:
        return min((seen + step) / warmup, 1.0), "warmup"
    left = max(0, total - seen)
    if left <= decay and decay > 0:
        # The added `step` keeps the last rate above 0 and makes the first step of the decay the
        # first below the peak.
        return left / (decay + step), "decay"
    return 1.0, "constant"
