"""What counts of a source file: what it computes, not how it is written."""

from pathlib import Path

from oodbench.core.own_code.source_files import parsed, source_of

CODE = b'''"""A module."""
import torch.nn
from mylayers import Block as B, head


class Net(torch.nn.Module):
    """A network."""

    def forward(self, x):
        """Logits."""
        return self.head(x)  # of the pictures
'''
REWRITTEN = b"""import torch.nn

from mylayers import Block as B, head
class Net((torch.nn.Module)):
  def forward(self,
              x):
    # nothing of it
    return (self.head(x))
"""


def test_comments_docstrings_and_layout_do_not_count() -> None:
    assert parsed(CODE) == parsed(REWRITTEN)


def test_everything_else_does() -> None:
    changes = [
        (b"self.head(x)", b"-self.head(x)"),
        (b"self.head(x)", b"self.head(x.flip(3))"),
        (b"self, x)", b"self, x, y=1)"),
        (b"self, x)", b"self, x, y=1.0)"),
        (b"self, x)", b"self, x, y=True)"),
        (b"self, x)", b"self, x, y='1')"),
        (b"self, x)", b"self, x, y=b'1')"),
        (b"    def", b"    @cached\n    def"),
        (b"    def", b"    async def"),
        (b"Block as B", b"Block as C"),
        (b"return self", b"yield self"),
    ]
    found = [parsed(CODE.replace(*change)).sha256 for change in changes]
    assert len({*found, parsed(CODE).sha256}) == len(changes) + 1


def test_text_that_is_no_docstring_counts() -> None:
    assert parsed(b"def f():\n  return 'a'").sha256 != parsed(b"def f():\n  return 'b'").sha256
    assert parsed(b"x = 1\n'a'").sha256 != parsed(b"x = 1\n'b'").sha256


def test_imports_are_named_whole() -> None:
    code = (
        b"import a.b\nfrom c import d, e as f\nfrom . import g\nfrom ..h import i\nfrom j import *"
    )
    assert parsed(code).imports == ("..h.i", ".g", "a.b", "c.d", "c.e", "j.*")


def test_what_is_no_python_counts_by_its_bytes() -> None:
    for content in (b"print 'of Python 2'", b"\0", b"\xff", b"(" * 1000):
        assert parsed(content) == parsed(content)
        assert parsed(content).sha256 != parsed(content + b" ").sha256


def test_it_is_remembered_for_the_very_file(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(CODE)
    assert source_of(file) == parsed(CODE)
    assert source_of(file) == parsed(CODE)
    file.write_bytes(b"import b")
    assert source_of(file) == parsed(b"import b")
