"""Options of the commands that read finished runs."""

import argparse
from pathlib import Path


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for where the runs are and what normalises ImageNet-P."""
    parser.add_argument(
        "--output-root",
        "--outputs",
        type=Path,
        default=Path("outputs"),
        metavar="DIR",
        help="where oodbench wrote its runs (default: outputs)",
    )
    parser.add_argument(
        "--normaliser",
        type=Path,
        metavar="FILE",
        help="CSV of AlexNet's scores on ImageNet-P (perturbation, flip_probability, "
        "top5_distance), for mFR; default: an imagenet_p run of the model alexnet",
    )
