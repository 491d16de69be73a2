"""How all figures of a report look: sizes, colours, lines and letters that journals take."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oodbench.core.errors import OutputError
from oodbench.core.extras import install_extra

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ONE_COLUMN = 89.0
"""Width of a figure of one column, mm, as Nature and its like take them."""

TWO_COLUMNS = 183.0
"""Width of a figure of two columns, mm."""

INK = "#1b1b1b"
"""Of letters, axes and everything grey, which is ink with less opacity: in a page it becomes the
colour of the text, so that figures can be read on a dark ground too. Of no other mark."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Six of the eight of Okabe and Ito (2008), which all kinds of colour vision tell apart."""

MARKERS = ("o", "s", "D", "^", "v", "P")
"""Beside the colours, for prints in grey."""

FAINT = 0.16
"""Opacity of ink for lines that are only to be felt, such as grids."""

MUTED = 0.5
"""Opacity of ink for what stands behind the marks that matter."""

DPI = 300
"""Of pictures in pixels."""

_MM = 25.4
_POINTS = 7.0
"""Size of letters, as journals ask for: 5 to 7 points."""

_SETTINGS: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": _POINTS,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": _POINTS,
    "axes.titlepad": 3.0,
    "axes.axisbelow": True,
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": _POINTS,
    "grid.alpha": FAINT,
    "grid.color": INK,
    "grid.linewidth": 0.5,
    "legend.fontsize": _POINTS,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "patch.linewidth": 0.6,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "savefig.dpi": DPI,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": _POINTS,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": INK,
    "ytick.labelsize": _POINTS,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Matplotlib draws and writes in the style of the report; its own settings come back after.

    Args:
        name: of the figure; the same one gives the same bytes.

    Raises:
        OutputError: Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise OutputError(
            f"figures need the package matplotlib: {install_extra('report')}"
        ) from None
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Of letters that the font has not: they stay in SVG, and a name may hold any.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        matplotlib.rcParams["svg.hashsalt"] = name
        yield


def new_drawing(width: float, height: float) -> "Drawing":
    """An empty drawing whose axes, letters and legends find their place by themselves.

    Args:
        width, height: mm.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(width / _MM, height / _MM), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def colour(number: int) -> str:
    """Colour of the mark of this number; after the last the first comes again."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Its shape: a colour that comes again has another one."""
    return MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]


def say(artist: "Artist", text: str) -> None:
    """Give a mark words that a page shows where one points at it.

    Args:
        artist: that draws one thing.
        text: of any characters.
    """
    artist.set_gid(SAID + text)


def say_each(artist: "Artist", texts: Sequence[str]) -> None:
    """As `say`, of a collection with one text a member."""
    artist.set_gid(SAID_EACH + SEPARATOR.join(text.replace(SEPARATOR, " ") for text in texts))


def percent_axis(axes: "Axes", which: str, label: str) -> None:
    """Name an axis of percentages and lay a grid across it.

    Args:
        which: x or y.
        label: without the unit.
    """
    getattr(axes, f"set_{which}label")(f"{label} (%)")
    axes.grid(axis="x" if which == "x" else "y")


SAID = "said:"
SAID_EACH = "said each:"
SEPARATOR = "\x1f"
"""Prefixes of a mark's gid, and what stands between texts: `oodbench.reports.figures.svg` turns
them into titles."""
