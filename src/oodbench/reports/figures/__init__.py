"""The figures of a report: what they draw, said once, and how they are drawn."""
