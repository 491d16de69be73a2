"""Names with every character that a format takes for its own, and a table with them."""

from run_factory import run_result, score

from oodbench.reports.tables.asked import Asked
from oodbench.reports.tables.show import asked_view
from oodbench.reports.tables.view import View
from oodbench.reports.tables.write import Stored

ODD = (
    "=cmd()|'x'!A1",
    '<script>alert("x")</script>&amp;',
    r"$x^2$ \input{secret} 100% #1 {a}_b~c",
    "[left] --- ,, ?` `` ''",
    "*starred",
    "two\nlines\tand\r\x1b[31m",
    "żółć ñ ß 中文 α 🦋",
    "@name",
    "key: [value] # - &anchor *alias !!tag",
    "a|b **bold** [link](x)",
)


def odd_view(**asked: object) -> View:
    """A run of each name; the first benchmark is of that name too, and its title is."""
    results = [
        run_result(name, scores={"top1": score(0.5 + 0.01 * place, 0.1, 0.9)})
        for place, name in enumerate(ODD)
    ]
    results += [
        run_result(name, name, {"mine": score(0.25)}, headline="mine", difference=[f"k={name}"])
        for name in ODD
    ]
    return asked_view(Stored(results, [], {}, {}, ()), Asked(**asked), [])  # type: ignore[arg-type]
