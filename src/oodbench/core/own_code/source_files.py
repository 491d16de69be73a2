"""What a Python source file computes, whatever its comments, docstrings and layout."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodbench.core.cache import cache_directory, cached_json

FORMAT = 1
"""Of what is remembered of a file; goes up when it is found otherwise."""


@dataclass(frozen=True)
class Source:
    """What is known of one source file.

    Attributes:
        sha256: of its syntax tree, of its bytes where they are no Python.
        imports: dotted names that it imports, a name imported from a module as `module.name`; those
            relative to its package begin with as many dots as in the statement.
    """

    sha256: str
    imports: tuple[str, ...]


def source_of(path: Path) -> Source:
    """Read a source file, remembered for the very file: by path, inode, size and both its times.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    file = (FORMAT, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    stamp = hashlib.sha256("\n".join([str(path.resolve()), *map(str, file)]).encode()).hexdigest()

    def read() -> dict[str, Any]:
        return vars(parsed(path.read_bytes()))

    found = cached_json(cache_directory() / "sources" / f"{stamp}.json", read)
    return Source(str(found["sha256"]), tuple(found["imports"]))


def parsed(content: bytes) -> Source:
    """What a file of these bytes computes and imports."""
    try:
        tree = ast.parse(content)
        lines = "\n".join(_lines(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(hashlib.sha256(content).hexdigest(), ())
    digest = hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()
    return Source(digest, tuple(sorted(set(_imports(tree)))))


def _lines(node: ast.AST) -> Iterator[str]:
    """The tree in words; fields that are empty are left out, since versions of Python add some."""
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = _without_docstring(node, value)
        if value is None or value == []:
            continue
        yield name
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                yield from _lines(item)
            else:
                yield f"{type(item).__name__} {item!r}"
    yield ")"


def _without_docstring(node: ast.AST, body: list[Any]) -> list[Any]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if not body or not isinstance(node, documented) or not isinstance(body[0], ast.Expr):
        return body
    first = body[0].value
    is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return body[1:] if is_text else body


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"{node.module}." if node.module else ""
            yield from (f"{'.' * node.level}{module}{alias.name}" for alias in node.names)
