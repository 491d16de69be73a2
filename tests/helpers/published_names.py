"""Names as the papers list them, written by hand: facts that no test takes from the code."""

CATEGORIES = [
    "airplane",
    "bear",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "car",
    "cat",
    "chair",
    "clock",
    "dog",
    "elephant",
    "keyboard",
    "knife",
    "oven",
    "truck",
]
"""Geirhos et al. 2019: the 16 entry-level categories, alphabetical."""

PERTURBATIONS = [
    "gaussian_noise",
    "shot_noise",
    "motion_blur",
    "zoom_blur",
    "snow",
    "brightness",
    "translate",
    "rotate",
    "tilt",
    "scale",
]
"""Hendrycks & Dietterich 2019: the ten test perturbations of ImageNet-P."""
