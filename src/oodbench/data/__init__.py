"""Data sets on disk: listing, decoding, and making corrupted, perturbed and demo versions."""
