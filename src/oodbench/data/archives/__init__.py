"""From the archives that authors give out to the folders that benchmarks read."""
