"""Scores as pure functions of per-image records."""
