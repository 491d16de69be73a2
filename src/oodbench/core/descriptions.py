"""What the fields of a config's dataclass are for, read from the strings below them."""

import ast
import inspect
import re
import textwrap
from functools import cache


@cache
def descriptions(schema: type) -> dict[str, str]:
    """By field, the first sentence of the string below it; "" where there is none.

    Args:
        schema: a dataclass of this package, whose source is at hand.
    """
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(schema))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    field = ""
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            field = statement.target.id
            found[field] = ""
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            if field:
                found[field] = first_sentence(str(statement.value.value))
        else:
            field = ""
    return found


def first_sentence(text: str) -> str:
    """On one line, without the full stop."""
    return re.split(r"\. (?=[A-Z`])", " ".join(text.split()))[0].removesuffix(".")
