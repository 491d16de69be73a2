"""Pillow's resize as numbers, for whatever computes it: the same pixels, on any device."""
