"""The pages of documents, read: fenced blocks, the command lines in them, links, headings."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

LANGUAGES = ("sh", "console", "text", "python", "yaml", "csv")
MARKS = ("needs-data", "needs-weights", "needs-network", "needs-gpu")
"""What the commands of a block need and the tests have not."""

_BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        info: what follows the opening fence: a language, then a mark or a file name.
        output: the text block that directly follows, "" where none does.
    """

    page: Path
    line: int
    info: str
    text: str
    output: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def argument(self) -> str:
        return self.info.partition(" ")[2]

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @cached_property
    def commands(self) -> list[list[str]]:
        """The words of its command lines: all lines of `sh`, those after `$` of `console`."""
        if self.language not in ("sh", "console"):
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        split = [shlex.split(line, comments=True) for line in lines]
        return [_program_first(words) for words in split if words]


def _program_first(words: list[str]) -> list[str]:
    """Without variables of the environment, and without what starts several processes."""
    words = words[next(i for i, word in enumerate(words) if not _ASSIGNMENT.fullmatch(word)) :]
    if words[0] == "torchrun":
        words = words[next(i for i, word in enumerate(words) if word.startswith("oodbench")) :]
    if words[:3] == ["python", "-m", "oodbench"]:
        words = ["oodbench", *words[3:]]
    return words


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    for block, following in zip_longest(found, found[1:]):
        output = ""
        if following and following[1] == "text" and following.start() == block.end() + 2:
            output = following[2]
        line = text.count("\n", 0, block.start()) + 1
        yield Block(page, line, block[1], block[2], output)


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[tuple[str, str]]:
    """Targets of the links to files of the project ("": the page itself), and their anchors."""
    found = [(link[1], link[2] or "") for link in _LINK.finditer(prose(page))]
    return [link for link in found if not link[0].startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(page)))
    return {heading.replace(" ", "-") for heading in words}
