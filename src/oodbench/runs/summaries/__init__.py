"""summary.json: what figures need of a run beyond its scores, so that they read no records."""
