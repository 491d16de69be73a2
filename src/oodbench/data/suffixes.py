"""How files of pictures and clips end."""

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})
CLIP_SUFFIXES = frozenset({".mp4"})
