#!/usr/bin/env python3
"""Opens pages of `regrow planner` in a browser and holds them against the command.

Every number that a page shows must be one that `regrow plan --json` or `regrow predict --json` prints for the same
question, and the whole answer must be the same up to the last digits of the processor's own functions. The page must
ask no network, write no error to the console, be usable by keyboard, fit 360 pixels, and follow dark mode and print.

    scripts/check_planner.py --regrow target/release/regrow --browser chromium --screenshots out/screens

It needs Python alone, and a Chromium that it drives by a pipe. It ends with 1 if something is wrong.
"""

import argparse
import base64
import json
import math
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOOP = ROOT / "results/2026-11-24-loop/law.json"
SEEDS = ROOT / "results/2026-11-26-loop/seed1.csv"
# Numbers agree to this share. A browser's exponential is not the processor's to the last bit, and the far end of a wide
# interval of tokens makes that a difference in the eighth digit.
SAME = 1e-6
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]


class Wrong(Exception):
    """Something that does not hold."""


def holds(condition, text):
    if not condition:
        raise Wrong(text)


class Browser:
    """A browser, driven over two pipes: messages are JSON, each ends with a zero byte."""

    def __init__(self, program, folder):
        asked_read, asked_write = os.pipe()
        said_read, said_write = os.pipe()
        command = [program, *SWITCHES, f"--user-data-dir={folder}", "about:blank"]
        # The browser reads from 3 and writes to 4; both ends are moved out of the way first.
        moved = f"exec 3<&{asked_read} 4>&{said_write}; exec {shlex.join(command)}"
        self.process = subprocess.Popen(
            ["bash", "-c", moved],
            pass_fds=(asked_read, said_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked_read)
        os.close(said_write)
        self.ask, self.said = os.fdopen(asked_write, "wb", 0), os.fdopen(said_read, "rb", 0)
        self.rest, self.number, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility"]:
            self.call(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.said.fileno(), 1 << 20)
            holds(more, "the browser has ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            asked["sessionId"] = self.session
        self.ask.write(json.dumps(asked).encode() + b"\0")
        while True:
            said = self.message()
            if said.get("id") == self.number:
                holds("error" not in said, f"{method}: {said.get('error')}")
                return said["result"]
            self.events.append(said)

    def value(self, expression):
        """The value of an expression of JavaScript in the page."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        holds("exceptionDetails" not in said, f"{expression[:80]}: {said.get('exceptionDetails')}")
        return said["result"].get("value")

    def wait(self, expression, what, seconds=60):
        end = time.monotonic() + seconds
        while not self.value(expression):
            holds(time.monotonic() < end, f"after {seconds} s the page has not {what}")
            time.sleep(0.05)

    def open(self, page, question=None):
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        asked = "#" + urllib.parse.urlencode(question) if question else ""
        self.call("Page.navigate", url=page.as_uri() + asked)
        self.wait("['shown', 'error'].some((id) => document.getElementById(id)?.hidden === false)", "answered")

    def press(self, key, code):
        for kind in ["rawKeyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screen(self, width, height, dark=False, media=""):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def shot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(taken["data"]))

    def complaints(self):
        """What the page wrote to the console, and what it asked the network for."""
        self.value("1")
        found = []
        for event in self.events:
            method, of = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append("exception: " + json.dumps(of["exceptionDetails"])[:400])
            elif method == "Runtime.consoleAPICalled":
                found.append(f"console: {of['type']} {json.dumps(of['args'])[:200]}")
            elif method == "Log.entryAdded":
                found.append(f"log: {of['entry']['text']}")
            elif method == "Network.requestWillBeSent" and of.get("type") != "Document":
                found.append(f"request: {of['request']['url'][:120]}")
            elif method == "Page.javascriptDialogOpening":
                found.append("a dialog")
        return found

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (Wrong, OSError):
            pass
        self.process.wait(timeout=20)


def regrow(program, *arguments):
    ran = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if ran.returncode not in (0, 3):
        return ran.stderr
    return json.loads(ran.stdout) if "--json" in arguments else ran.stdout


def differences(a, b, at=""):
    """Where two answers differ."""
    if isinstance(a, bool) or isinstance(b, bool) or type(a) is str or a is None or b is None:
        return [] if a == b else [f"{at}: {a!r}, the command says {b!r}"]
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        near = a == b or math.isclose(a, b, rel_tol=SAME, abs_tol=1e-300)
        return [] if near else [f"{at}: {a!r}, the command says {b!r}"]
    if type(a) is not type(b) or len(a) != len(b):
        return [f"{at}: {str(a)[:80]}, the command says {str(b)[:80]}"]
    keys = a if isinstance(a, dict) else range(len(a))
    if isinstance(a, dict) and set(a) != set(b):
        return [f"{at}: {sorted(a)}, the command says {sorted(b)}"]
    return [found for key in keys for found in differences(a[key], b[key], f"{at}/{key}")]


def numbers(value):
    """Every number of an answer."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield float(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from numbers(inner)


# The arithmetic of the page, asked for the whole answer.
ANSWER = """(async () => {
  const text = (id) => document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(text('wasm')), (letter) => letter.charCodeAt(0));
  const { exports } = (await WebAssembly.instantiate(bytes)).instance;
  const call = (name, said) => {
    const given = new TextEncoder().encode(said);
    const at = exports.planner_room(given.length);
    new Uint8Array(exports.memory.buffer, at, given.length).set(given);
    const length = exports[name]();
    return new TextDecoder().decode(new Uint8Array(exports.memory.buffer, exports.planner_text(), length));
  };
  call('planner_open', text('law'));
  return call('planner_answer', %s);
})()"""
SHOWN = "[...document.querySelectorAll('#shown section:not([hidden]) data')].map((data) => Number(data.value))"
COMMANDS = "document.getElementById('command').textContent"


def check_question(browser, program, page, law, question):
    """One question, asked in the page and in the commands that the page names."""
    browser.open(page, question)
    lines = browser.value(COMMANDS).split("\n")
    said = []
    for line in lines:
        words = shlex.split(line)
        holds(words[0] == "regrow" and words[2] == law.name, f"the page names the command {line}")
        said.append(regrow(program, words[1], law, *words[3:], "--json"))
    answer = json.loads(browser.value(ANSWER % json.dumps(json.dumps(question))))
    if "error" in answer:
        text = browser.value("document.getElementById('error').textContent")
        holds(isinstance(said[0], str), f"the page refuses {question}: {text}; the command answers")
        holds(answer["error"]["text"] in text, f"the page shows `{text}`")
        field = answer["error"].get("field")
        invalid = browser.value("document.querySelector('[aria-invalid=true]')?.id ?? null")
        holds(invalid == field, f"`{field}` is wrong, and `{invalid}` is marked")
        return {"refused": answer["error"]["text"], "command": said[0]}
    holds(not isinstance(said[0], str), f"the page answers {question}, the command says {said[0]}")
    pairs = [(answer["plan"], said[0])]
    if "rates" in answer:
        pairs.append((answer["rates"], said[1]))
    if "prediction" in answer:
        pairs.append((answer["prediction"], said[-1]))
    for ours, theirs in pairs:
        found = differences(ours, theirs)
        holds(not found, f"{question}: {len(found)} differences: " + "; ".join(found[:4]))
    # What stands in the page is of the answer, and what is asked for most stands in the page.
    known = sorted(number for _, theirs in pairs for number in numbers(theirs))
    group = json.loads(law.read_text())["groups"]
    known += [float(one[key]) for one in group for key in ("runs", "points", "level")]
    shown = browser.value(SHOWN)
    near = lambda x: any(math.isclose(x, one, rel_tol=SAME, abs_tol=1e-300) for one in known)
    strange = [x for x in shown if not near(x)]
    holds(shown and not strange, f"{question}: the page shows {strange[:5]}, which no command says")
    plans = said[0]["decisions"]
    if len(plans) == 1:
        told = plans[0]
        wanted = [told["enough"].get("value"), *told["enough"].get("interval", []), told["floor"].get("value")]
        if "loss_then" in told:
            wanted += [told["loss_then"], *told.get("loss_then_mean", []), *told.get("loss_then_new_run", [])]
        cost = told["enough"].get("cost", {})
        wanted += [amount.get("value") for amount in cost.values()]
        for x in filter(lambda x: x is not None, wanted):
            holds(any(math.isclose(x, one, rel_tol=SAME) for one in shown), f"{question}: the page lacks {x}")
        status = browser.value("document.getElementById('status').textContent")
        holds(status == told["enough"]["sentence"], f"the page says `{status}`")
        outside = any("extrapolation" in told[key].get("code", []) for key in ("enough", "floor"))
        marked = browser.value("document.querySelectorAll('#part-enough .outside, #part-numbers .outside').length")
        holds(bool(marked) == outside, f"{question}: outside the data is {outside}, {marked} marks")
    holds(not browser.complaints(), f"{question}: " + "; ".join(browser.complaints()[:4]))
    return {"numbers": sum(1 for _, theirs in pairs for _ in numbers(theirs)), "shown": len(shown)}


def check_keyboard(browser, page):
    """Tab goes through the form and the answer in their order, and the focus can be seen."""
    browser.screen(1280, 900)
    browser.open(page)
    expected = browser.value(
        "[...document.querySelectorAll('a[href], input:not(:disabled), select, button, summary, [tabindex=\"0\"]')]"
        ".filter((e) => e.checkVisibility()).map((e) => e.id || e.getAttribute('aria-label') || e.textContent)"
    )
    browser.value("document.body.focus(), document.activeElement.blur()")
    walked = []
    for _ in expected:
        browser.press("Tab", 9)
        walked.append(
            browser.value(
                "(() => { const e = document.activeElement; const style = getComputedStyle(e);"
                " return [e.id || e.getAttribute('aria-label') || e.textContent,"
                " style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0]; })()"
            )
        )
    holds([name for name, _ in walked] == expected, f"tab walks {walked}, expected {expected}")
    unseen = [name for name, seen in walked if not seen]
    holds(not unseen, f"the focus cannot be seen on {unseen}")
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = ["textbox", "combobox", "button", "checkbox", "img", "image", "region", "link", "form", "table"]
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in roles and not node.get("ignored"):
            holds(node.get("name", {}).get("value"), f"a {role} has no name")
    return len(expected)


def check_typing(browser, page):
    """A change of the form changes the answer, the address and the commands, and is told to who listens."""
    browser.open(page)
    before = browser.value("document.getElementById('status').textContent")
    browser.value("document.getElementById('gain').focus()")
    browser.call("Input.insertText", text="0.05")
    browser.wait("location.hash.includes('gain=0.05')", "put the question into its address")
    after = browser.value("document.getElementById('status').textContent")
    holds(before != after, "another gain gives the same answer")
    holds("--doubling-gain 0.05" in browser.value(COMMANDS), "the command lacks the gain")
    live = browser.value("document.getElementById('status').getAttribute('aria-live')")
    holds(live == "polite", "the answer is not told")
    browser.value("document.getElementById('copy-command').click()")
    browser.wait("document.getElementById('copied').textContent !== ''", "said that it copied")
    browser.value("document.getElementById('skip').click()")
    focus = browser.value("document.activeElement.id")
    holds(focus == "answers", f"the first link leads to `{focus}`")
    # A link that somebody sends replaces the question of a page that is open.
    browser.value("location.hash = location.hash.replace('gain=0.05', 'gain=0.02')")
    browser.wait("document.getElementById('gain').value === '0.02'", "taken a question from its address")
    holds("--doubling-gain 0.02" in browser.value(COMMANDS), "the command is that of another question")
    holds(not browser.complaints(), "; ".join(browser.complaints()[:4]))


def check_looks(browser, page, question, folder):
    """Wide and narrow, light, dark and in print."""
    for width, height in [(1440, 900), (768, 1024), (360, 780)]:
        for dark in [False, True]:
            browser.screen(width, height, dark)
            browser.open(page, question)
            wide = browser.value("document.documentElement.scrollWidth")
            holds(wide <= width, f"at {width} pixels the page is {wide} wide")
            paper, ink = browser.value(
                "['backgroundColor', 'color'].map((name) => getComputedStyle(document.body)[name]"
                ".match(/\\d+/g).slice(0, 3).map(Number))"
            )
            holds((sum(paper) < sum(ink)) == dark, f"dark is {dark}, paper {paper}, ink {ink}")
            if folder:
                browser.shot(folder / f"{page.stem}-{width}-{'dark' if dark else 'light'}.png")
    browser.screen(1000, 1400, dark=True, media="print")
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    holds(paper == "rgb(255, 255, 255)", f"in print the paper is {paper}")
    printed = base64.b64decode(browser.call("Page.printToPDF", printBackground=False)["data"])
    holds(printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") > 0, "nothing is printed")
    if folder:
        (folder / f"{page.stem}.pdf").write_bytes(printed)
    browser.screen(1280, 900)


def check_hostile(browser, program, folder):
    """Names that hold tags are text."""
    law = json.loads(LOOP.read_text())
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    for group in law["groups"]:
        group["series"] = name
    path, page = folder / "hostile.json", folder / "hostile.html"
    path.write_text(json.dumps(law))
    regrow(program, "planner", path, "--out", page)
    browser.open(page)
    found = browser.value("[document.scripts.length, document.images.length, document.body.textContent.includes('onerror')]")
    holds(found[0] == 4 and found[1] == 0 and found[2], f"scripts, images, the name as text: {found}")
    holds(not browser.complaints(), "; ".join(browser.complaints()[:4]))
    browser.open(page, {"series": name, "model": "<b>", "n0": "1"})
    text = browser.value("document.getElementById('error').textContent")
    holds("`<b>` is not the name" in text, f"a link with a strange model says `{text}`")


QUESTIONS = {
    "loop": [
        {},
        {"rate": "0.3"},
        {"tokens": "2M", "gain": "0.005"},
        {"device": "h100", "price": "2.5", "budget": "1usd"},
        {"n0": "400k", "rate": "45%"},
        {"rate": ""},
        {"rate": "", "params": "100k", "tokens": "5M"},
        {"target": "1.5", "device": "989T", "utilisation": "0.3", "cached": "yes"},
        {"tokens": "900B"},
        {"rate": "1.5"},
        {"loss0": "nan"},
        {"loss0": ""},
        {"n0": "many"},
        {"budget": "5usd"},
        {"model": "llama-3.1-8b", "n0": "", "loss0": "2.05"},
        {"model": "qwen2.5-7b", "n0": "", "loss0": "2"},
        {"method": "depth-magic"},
        {"gain": "-1"},
        {"device": "h100", "utilisation": "40"},
    ],
    "levels": [
        {},
        {"tokens": "600k", "device": "h200", "price": "3"},
        {"series": "qwen2", "rate": "25%"},
        {"series": "", "rate": "0.25"},
        {"n0": "30M", "rate": "0.3"},
        {"rate": "", "budget": "1e14flop"},
        {"model": "llama-3.2-3b", "n0": "", "series": "llama", "rate": "0.25", "loss0": "2.3"},
    ],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--regrow", default=str(ROOT / "target/debug/regrow"), help="the command")
    parser.add_argument("--browser", default="chromium", help="a Chromium")
    parser.add_argument("--screenshots", type=pathlib.Path, help="keep pictures here, to look at")
    given = parser.parse_args()
    if given.screenshots:
        given.screenshots.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        laws = {"loop": folder / "loop.json", "levels": folder / "levels.json"}
        laws["loop"].write_bytes(LOOP.read_bytes())
        regrow(given.regrow, "fit", SEEDS, "--curve", "power", "--out", laws["levels"])
        browser = Browser(given.browser, folder / "profile")
        try:

            def step(what, check, *arguments):
                nonlocal failed
                try:
                    said = check(*arguments)
                    print(f"ok    {what}" + (f": {said}" if said is not None else ""))
                except Wrong as wrong:
                    failed += 1
                    print(f"WRONG {what}: {wrong}")

            for name, law in laws.items():
                page = folder / f"{name}.html"
                said = regrow(given.regrow, "planner", law, "--out", page)
                holds(page.exists(), f"no page: {said}")
                browser.screen(1280, 900)
                browser.open(page)
                first = browser.value("performance.getEntriesByName('first-answer')[0]?.startTime")
                print(f"{name}: {page.stat().st_size / 1e6:.2f} MB, the first answer after {first:.0f} ms")
                base = browser.value("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
                base = base or json.loads(browser.value("document.documentElement.dataset.answered"))
                for change in QUESTIONS[name]:
                    asked = {**base, **change}
                    asked = {key: text for key, text in asked.items() if text}
                    step(f"{name} {change}", check_question, browser, given.regrow, page, law, asked)
                step(f"{name}: keyboard", check_keyboard, browser, page)
                step(f"{name}: typing", check_typing, browser, page)
                budget = {**base, "tokens": "2M", "device": "h100", "price": "2.5"}
                step(f"{name}: looks", check_looks, browser, page, budget, given.screenshots)
            step("hostile names", check_hostile, browser, given.regrow, folder)
        finally:
            browser.close()
    print("all hold" if not failed else f"{failed} do not hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
