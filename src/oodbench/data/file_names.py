"""How files of pictures and clips end, and files with a meaning of their own."""

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})
CLIP_SUFFIXES = frozenset({".mp4"})

DEMO_MARK = "DEMO.txt"
"""Results on a folder that holds such a file are marked as demo results."""
