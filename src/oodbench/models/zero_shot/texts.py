"""Sentences that describe the classes: templates and names, shipped or the user's own.

Shipped are the 1000 names and 80 templates that OpenAI published for CLIP on ImageNet (Radford et
al. 2021), as in LAION-AI/CLIP_benchmark 48de38c (MIT), and one plain sentence.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.reference import text_lists

CLASS = "{c}"
"""Stands for the class in a template."""

N_CLASSES = 1000

Content = str | list[str]


def prompts_content(value: str) -> Content:
    """The name of a shipped list of templates, or the lines of a file: what the run key holds.

    Args:
        value: `model.prompts`.

    Raises:
        ConfigError: neither a name nor a file, or a template without `{c}`.
    """
    found = _content(value, "prompts")
    wrong = [line for line in found if CLASS not in line] if isinstance(found, list) else []
    if wrong:
        raise ConfigError(
            f"model.prompts={value}: '{wrong[0]}' has no {CLASS}, where the class is to stand"
        )
    return found


def class_names_content(value: str) -> Content:
    """The name of a shipped list of class names, or the 1000 lines of a file.

    Args:
        value: `model.class_names`.

    Raises:
        ConfigError: neither a name nor a file, or a file of another number of names.
    """
    found = _content(value, "class_names")
    if isinstance(found, list) and len(found) != N_CLASSES:
        raise ConfigError(
            f"model.class_names={value}: {len(found)} names instead of 1000, one a line in the "
            "order of the class indices"
        )
    return found


def sentences(prompts: Content, class_names: Content) -> list[list[str]]:
    """For each class its sentences, one a template.

    Args:
        prompts, class_names: as `prompts_content` and `class_names_content` give them.
    """
    templates = _lines(prompts, "prompts")
    names = _lines(class_names, "class_names")
    return [[template.replace(CLASS, name) for template in templates] for name in names]


def described(prompts: Content, class_names: Content) -> str:
    """Which texts a zero-shot model has been given, for its results."""
    templates = _lines(prompts, "prompts")
    n = len(templates)
    of = f"{n} templates ({_named(prompts)})" if n > 1 else f"the sentence '{templates[0]}'"
    return f"zero-shot: class names ({_named(class_names)}) in {of}"


def _named(content: Content) -> str:
    return content if isinstance(content, str) else "from a file"


def _content(value: str, kind: str) -> Content:
    shipped = text_lists(kind)
    if value in shipped:
        return value
    path = Path(value)
    if not path.is_file():
        raise ConfigError(f"model.{kind}={value}: neither a file nor one of {', '.join(shipped)}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise ConfigError(f"model.{kind}={value}: not a text file") from None
    found = [line for line in lines if line]
    if not found:
        raise ConfigError(f"model.{kind}={value}: has no lines")
    return next((name for name, known in shipped.items() if known == found), found)


def _lines(content: Content, kind: str) -> Sequence[str]:
    return text_lists(kind)[content] if isinstance(content, str) else content


RESOLVERS: dict[str, Callable[[str], Content]] = {
    "prompts": prompts_content,
    "class_names": class_names_content,
}
"""By name, what configs of models look up as `${prompts:…}` and `${class_names:…}`."""
