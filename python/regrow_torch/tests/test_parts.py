"""The parts of a run that need no model: order, schedule, windows, files. They need numpy and torch."""

import hashlib
import json
import tempfile
import unittest
from pathlib import Path

try:
    from regrow_torch import folder, heldout, job, order, schedule, stop
    from regrow_torch.errors import JobError
except ImportError as error:
    raise unittest.SkipTest(f"skipped: the parts of the torch job: {error}") from None

ORDERS = Path(__file__).parents[3] / "testdata/order/orders.json"


class Text:
    """Documents of these lengths."""

    def __init__(self, *lengths):
        self.lengths, self.tokens = lengths, sum(lengths)

    def documents(self):
        start = 0
        for length in self.lengths:
            yield start, start + length
            start += length


def evaluation(convention="documents", context=8, stride=8, tokens=10**9):
    return {"convention": convention, "context": context, "stride": stride, "tokens": tokens}


class Parts(unittest.TestCase):
    def test_the_order_is_that_of_regrow(self):
        for case in json.loads(ORDERS.read_text()):
            found = order.shuffled(case["count"], case["seed"], case["epoch"])
            self.assertEqual(found[:6].tolist(), case["first"])
            self.assertEqual(hashlib.sha256(found.astype("<u4").tobytes()).hexdigest(), case["sha256"])

    def test_warm_up_rises_in_a_line_and_decay_falls_to_its_last_step(self):
        found = [schedule.at({"warmup": 20, "decay": 30}, 10 * i, 10, 100) for i in range(10)]
        rates = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
        self.assertEqual(found, list(zip(rates, ["warmup"] * 2 + ["constant"] * 5 + ["decay"] * 3)))
        self.assertEqual(schedule.at({"warmup": 0, "decay": 0}, 0, 10, 100), (1.0, "constant"))

    def test_windows_side_by_side_predict_every_token_but_the_first_once(self):
        found = heldout.windows(Text(21), evaluation("packed"))
        self.assertEqual(found, [(0, 9, 1), (8, 17, 9), (16, 21, 17)])
        found = heldout.windows(Text(5, 1, 3), evaluation())
        self.assertEqual(found, [(0, 5, 1), (6, 9, 7)])

    def test_every_target_counts_once_whatever_the_stride_and_the_limit_is_met(self):
        for stride in range(1, 9):
            for length in range(1, 40):
                found = heldout.windows(Text(length), evaluation("packed", stride=stride))
                counted = [target for _, end, first in found for target in range(first, end)]
                self.assertEqual(counted, list(range(1, length)))
        found = heldout.windows(Text(100), evaluation("packed", tokens=13))
        self.assertEqual(sum(end - first for _, end, first in found), 13)

    def test_passes_hold_every_window_once(self):
        text = Text(*([700, 30, 30, 4000, 2, 90] * 20))
        groups = heldout.passes(text, evaluation(context=512, stride=512))
        flat = sorted(window for group in groups for window in group)
        self.assertEqual(flat, sorted(heldout.windows(text, evaluation(context=512, stride=512))))
        for group in groups:
            padded = len(group) * max(end - start - 1 for start, end, _ in group)
            self.assertTrue(padded <= heldout.PASS or len(group) == 1)

    def test_gains_are_interpolated_in_the_logarithm_of_tokens(self):
        curve = [{"tokens": n, "eval_loss": loss} for n, loss in ((0, 9.0), (100, 3.0), (200, 2.5), (400, 2.25))]
        self.assertEqual(folder.gained_after(curve, 0.5), 0.25)
        self.assertAlmostEqual(folder.gained_after(curve, 2**-1.5), 0.5)
        self.assertIsNone(folder.gained_after(curve, 0.2))

    def test_hidden_names_are_those_that_regrow_removes(self):
        for name in ("model", "checkpoint-7", "done.json"):
            hidden = folder.hidden(Path("/run") / name).name
            self.assertTrue(folder.is_hidden(hidden) and hidden.startswith(f".{name}."), hidden)
        for name in (".lock", ".a.aside", "model", ".metadata", ".x.abcdefg.aside"):
            self.assertFalse(folder.is_hidden(name), name)

    def test_a_job_file_of_another_version_is_refused_by_name(self):
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "torch.json"
            for text, said in (("{", "is not a job file"), ('{"format":2}', "format 2, expected 1"), ("[]", "format None"),
                               ('{"format":1}', "KeyError")):  # fmt: skip
                path.write_text(text)
                with self.assertRaisesRegex(JobError, said):
                    job.read(path)
            with self.assertRaisesRegex(JobError, "cannot be read"):
                job.read(Path(place) / "none.json")

    def test_a_limit_counts_what_was_measured(self):
        limit = stop.Limit(None, 10**9)
        self.assertFalse(limit.is_reached(True) or limit.wants_a_save())
        limit = stop.Limit(stop.time.time() + 60, 10)
        self.assertTrue(limit.wants_a_save() and not limit.is_reached(True))
        limit.saved(2.0)
        limit.step, limit.evaluation = 10.0, 50.0
        self.assertTrue(limit.is_reached(True) and not limit.is_reached(False) and not limit.wants_a_save())


if __name__ == "__main__":
    unittest.main()
