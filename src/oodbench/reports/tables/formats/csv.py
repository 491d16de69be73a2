"""A table in CSV: one row a cell."""

import pandas as pd

from oodbench.reports.tables.escaping import for_csv
from oodbench.reports.tables.formats.tidy import cells_of, fields_of
from oodbench.reports.tables.view import View


def text_of(view: View) -> str:
    """See `oodbench.reports.tables.formats.tidy`; text that is a formula has an apostrophe."""
    table = pd.DataFrame(cells_of(view), columns=list(dict.fromkeys(fields_of(view))))
    return for_csv(table).to_csv(index=False)
