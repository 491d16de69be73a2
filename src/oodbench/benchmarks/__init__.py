"""Benchmarks: which pictures, which labels, which scores."""
