#!/usr/bin/env python3
"""How long the sentences are that a user reads: README, guides, and the command's help.

    scripts/readability.py                          README and guides
    scripts/readability.py --regrow target/debug/regrow   the help of every command, too
    scripts/readability.py --long 30                name every sentence above 30 words

Exit status 1 where a text misses a goal: median at most 16 words, no sentence above 35.
A sentence ends at `.`, `!`, `?`, or with its paragraph, list item or table cell. What stands in
back quotes counts as one word. Code blocks and headings are not read.
"""

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEDIAN, LONGEST = 16, 35
# A line that opens with one of these begins a paragraph of its own.
ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")


def paragraphs(markdown):
    """Paragraphs, list items and table cells of Markdown, without code and headings."""
    found, open_, fence = [], [], False

    def close():
        if open_:
            found.append(" ".join(open_))
            open_.clear()

    for line in markdown.splitlines():
        if line.lstrip().startswith("```"):
            fence = not fence
            close()
        elif fence or (line.startswith("    ") and not open_):
            continue
        elif not line.strip() or line.startswith("#"):
            close()
        elif line.startswith("|"):
            close()
            if not re.fullmatch(r"[|:\s-]+", line):
                found.extend(cell.strip() for cell in line.strip().strip("|").split("|"))
        elif ITEM.match(line):
            close()
            open_.append(ITEM.sub("", line, count=1).strip())
        else:
            open_.append(line.strip())
    close()
    return found


def help_paragraphs(text):
    """Descriptions of a command, its flags and examples; usage lines and commands are not read."""
    found, open_, depth = [], [], None

    def close():
        if open_:
            found.append(" ".join(open_))
            open_.clear()

    for line in text.splitlines():
        bare, indent = line.strip(), len(line) - len(line.lstrip())
        command = bare.startswith(("regrow ", "-", "<", "[", "Usage", "$"))
        if not bare or command or bare.endswith(":"):
            close()
            if bare.endswith(":") and not command and " " in bare:
                found.append(bare)
            continue
        # `  name    What it is`: the words after the wide gap.
        gap = re.match(r"\S+\s{2,}(\S.*)", bare)
        if gap:
            close()
            bare = gap.group(1)
        elif depth is not None and indent != depth:
            close()
        depth = indent
        open_.append(bare)
    close()
    return found


def sentences(paragraph):
    """Sentences of a paragraph, each as its words."""
    text = re.sub(r"``.+?``|`[^`]*`", "code", paragraph)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"</?\w+[^>]*>", " ", text)
    text = re.sub(r"\b(e\.g|i\.e|et al|vs|Fig|No)\.", r"\1", text)
    for sentence in re.split(r"(?<=[.!?])[)\"*_]*\s+", text):
        words = re.findall(r"[\w'’.,%/+-]*\w[\w'’.,%/+-]*", sentence)
        if len(words) > 2:
            yield words


def read(name, found, long_):
    """Says how a text stands; whether it meets the goals."""
    all_ = [words for paragraph in found for words in sentences(paragraph)]
    lengths = [len(words) for words in all_] or [0]
    middle, most = statistics.median(lengths), max(lengths)
    over = [words for words in all_ if len(words) > long_]
    good = middle <= MEDIAN and most <= LONGEST
    print(f"{name:<34} {len(all_):>6} {middle:>7g} {most:>8} {'' if good else '  missed'}")
    for words in over:
        print(f"    {len(words)}: {' '.join(words)}")
    return good


def helps(regrow):
    """The help of the command and of each of its subcommands."""
    def ask(*words):
        return subprocess.run([regrow, *words, "--help"], capture_output=True, text=True,
                              check=True).stdout

    top = ask()
    names = re.findall(r"^  ([a-z]+)  ", top.split("Commands:")[1].split("Options:")[0], re.M)
    yield "regrow --help", help_paragraphs(top)
    for name in names:
        if name != "help":
            yield f"regrow {name} --help", help_paragraphs(ask(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regrow", help="the command whose help is read as well")
    parser.add_argument("--long", type=int, default=LONGEST, help="name sentences above so many words")
    arguments = parser.parse_args()
    print(f"{'text':<34} {'sent.':>6} {'median':>7} {'longest':>8}")
    good = True
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs/checked.md",
                 *sorted((ROOT / "docs/guide").glob("*.md"))]:
        name = str(path.relative_to(ROOT))
        good &= read(name, paragraphs(path.read_text()), arguments.long)
    if arguments.regrow:
        for name, found in helps(arguments.regrow):
            good &= read(name, found, arguments.long)
    # Above the fold: what stands before the first folded detail.
    fold = (ROOT / "README.md").read_text().split("<details>")[0]
    words = sum(len(list(re.findall(r"\S+", p))) for p in paragraphs(fold))
    print(f"\nREADME above the fold: {words} words (at most 900)")
    sys.exit(0 if good and words <= 900 else 1)


if __name__ == "__main__":
    main()
