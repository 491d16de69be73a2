"""Out-of-distribution benchmarks for image classifiers: one config, one run, one table."""
