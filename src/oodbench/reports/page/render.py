"""The page as one file: the template, with its styles and scripts inside and allowed by hash."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from oodbench.core.errors import OutputError, visible
from oodbench.core.extras import install_extra

_PARTS = re.compile(r"[^_/-]+[_/-]*|[_/-]+")
"""Parts of a name, after which a line may end."""


def require_jinja() -> None:
    """Make sure that the page can be rendered, before anything is computed for it.

    Raises:
        OutputError: Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError:
        raise OutputError(
            f"oodbench-report needs the package jinja2: {install_extra('report')}"
        ) from None


def rendered(content: dict[str, Any], css: str = "") -> str:
    """The page.

    All text is escaped; line ends and control characters in it are shown as escapes.

    Args:
        content: names that the template reads.
        css: rules beside the page's own.

    Raises:
        OutputError: Jinja2 is not installed.
    """
    require_jinja()
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        is_text = isinstance(value, str) and not isinstance(value, Markup)
        return visible(value) if isinstance(value, str) and is_text else value

    def breakable(name: str) -> Markup:
        return Markup("<wbr>").join(_PARTS.findall(visible(name)))

    environment = Environment(
        loader=PackageLoader("oodbench.reports.page", "template"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    style, script = f"{_asset('page.css')}\n{css}", _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("page.html").render(
        **content, style=Markup(style), script=Markup(script), policy=policy, markup=Markup
    )


def _asset(name: str) -> str:
    return files("oodbench.reports.page").joinpath("template", name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
