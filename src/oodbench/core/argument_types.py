"""Whether a value from a config is what an argument's type hint says."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_PLAIN: dict[object, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    NoneType: ((NoneType,), "null"),
}
_PLURAL: dict[object, str] = {int: "integers", float: "numbers", str: "texts"}
_LISTS = {list, tuple, set, frozenset, Sequence, Collection, Iterable}


def hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Type hints of a class's or function's arguments; none where they cannot be resolved."""
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except Exception:  # a hint is any expression of a user's module
        return {}
    return {p.name: p.annotation for p in parameters if p.annotation is not p.empty}


def expected(value: Any, hint: Any) -> str:
    """What the hint asks for where the value is something else, such as `an integer or null`.

    Args:
        value: of a config: a number, text, true or false, null, a list or a mapping.
        hint: plain types and unions, literals, lists and mappings of them are understood; 224.0 is
            an integer, too.

    Returns:
        "" where the value fits, or the hint is of another kind.
    """
    return "" if _fits(value, hint) else _words(hint)


def _fits(value: Any, hint: Any) -> bool:
    if hint is int and isinstance(value, float):
        return value.is_integer()
    if hint in _PLAIN:
        kinds, _ = _PLAIN[hint]
        return isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return value in inner
    if origin in _LISTS:
        items = isinstance(value, list | tuple)
        return items and all(_fits(item, inner[0]) for item in value if inner)
    if origin in (dict, Mapping):
        return isinstance(value, dict)
    return True


def _words(hint: Any) -> str:
    if hint in _PLAIN:
        return _PLAIN[hint][1]
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        words = list(dict.fromkeys(_words(option) for option in inner))
        return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in _LISTS:
        return f"a list of {_PLURAL.get(inner[0], _words(inner[0]))}" if inner else "a list"
    return "a mapping" if origin in (dict, Mapping) else "something else"
