"""The long and the wide table of all runs on disk."""
