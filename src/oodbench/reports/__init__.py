"""What finished runs say together: tables, comparisons, and whether attacks can be trusted."""
