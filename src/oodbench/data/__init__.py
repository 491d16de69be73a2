"""Data sets on disk: demo data and tools."""
