"""A table in JSON: one object a cell."""

from oodbench.core.files import json_text
from oodbench.reports.tables.formats.tidy import cells_of
from oodbench.reports.tables.view import View
from oodbench.runs.results import without_nan


def text_of(view: View) -> str:
    """`warning`, `caption` and `cells`, see `oodbench.reports.tables.formats.tidy`."""
    cells = list(cells_of(view))
    return json_text(
        without_nan({"warning": view.warning, "caption": view.caption, "cells": cells})
    )
