"""`oodbench-models`: which models there are, whether their weights are right, fetching them."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from oodbench.cli.arguments import add_version
from oodbench.core.command import as_command
from oodbench.core.errors import ConfigError, OodbenchError
from oodbench.core.schema import RunConfig
from oodbench.models.inventory import check_model, describe, find_stored, size_text
from oodbench.models.weights import WeightsFile, locate, verify
from oodbench.reference import published_models
from oodbench.sweeps.catalogue import generic_models, load_runs, model_names

Command = Callable[[argparse.Namespace], int]


@as_command("interrupted: the same command goes on where it stopped")
def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: command line without the program's name; `sys.argv` by default.

    Returns:
        Exit code: 0; 1 where a model is wrong, or one that was named is missing or cannot be
        fetched; 130 after Ctrl-C. Wrong arguments exit with 2, as argparse does.
    """
    chosen = argument_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for name in ("httpx", "httpx2", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.WARNING)
    command: Command = chosen.command
    return command(chosen)


def list_models(chosen: argparse.Namespace) -> int:
    """Print one line per model, or with --details where its weights come from."""
    for run in _models(chosen):
        if chosen.details:
            print(_details(run), end="\n\n")
        else:
            print(_line(run))
    if not chosen.words:
        print(
            f"and any other: {', '.join(f'model={name}' for name in generic_models())} (see README)"
        )
    return 0


def check(chosen: argparse.Namespace) -> int:
    """Check the weights of the models, and count."""
    counts = dict.fromkeys(("ok", "missing", "wrong"), 0)
    for run in _models(chosen):
        checked = check_model(run.model, Path(run.weights.dir))
        counts[checked.state] += 1
        print(f"{run.model.name}  {checked.state}  {checked.message}", flush=True)
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    asked_for = bool(chosen.words or chosen.published)
    return int(counts["wrong"] > 0 or (asked_for and counts["missing"] > 0))


def fetch(chosen: argparse.Namespace) -> int:
    """Download what is missing; one that fails does not stop the others."""
    if not chosen.words and not chosen.published:
        raise ConfigError("name the models to fetch, or all 26 with --published")
    failed = 0
    for run in _models(chosen):
        directory = Path(run.weights.dir)
        try:
            files = locate(run.model.name, run.model.weights, directory, download=True)
            for file in files:
                verify(file, directory)
        except OodbenchError as error:
            failed += 1
            print(f"failed: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{run.model.name}  {', '.join(map(describe, files))}", flush=True)
    return int(failed > 0)


def _models(chosen: argparse.Namespace) -> list[RunConfig]:
    names = [word for word in chosen.words if "=" not in word]
    overrides = [word for word in chosen.words if "=" in word]
    if chosen.published:
        names = [*published_models(), *names]
    if chosen.weights_dir is not None:
        overrides.append(f"weights.dir='{chosen.weights_dir}'")
    return load_runs(names or model_names(), overrides, chosen.config_dir)


def _stored(run: RunConfig) -> tuple[list[WeightsFile], str]:
    """The model's files, and whether they are there."""
    try:
        files = find_stored(run.model, Path(run.weights.dir))
    except OodbenchError:
        return [], "missing"
    return files, "on disk" if files else "no file"


def _line(run: RunConfig) -> str:
    model = run.model
    files, state = _stored(run)
    millions = "?" if model.parameters is None else f"{model.parameters:.1f} M"
    licence = model.weights.license or "unknown licence"
    return (
        f"{model.name:<26} {millions:>8}  {model.input_size:>4} px  {licence:<13} "
        f"{size_text(model, files):>14}  {state}"
    )


def _details(run: RunConfig) -> str:
    model, weights = run.model, run.model.weights
    files, state = _stored(run)
    described = state if state == "missing" else "; ".join(map(describe, files))
    parameters = "not registered" if model.parameters is None else f"{model.parameters} million"
    rows: list[tuple[str, str | None]] = [
        ("parameters", parameters),
        ("input", f"{model.input_size} px, crop {model.crop_pct}, {model.interpolation}"),
        ("mean, std", f"{model.mean}, {model.std}"),
        ("hub", weights.hub and f"https://huggingface.co/{weights.hub}"),
        ("url", weights.url),
        ("package", weights.package),
        ("hash", weights.hash and f"{weights.hash} (as its authors give it)"),
        ("layout", weights.layout),
        ("entry", weights.entry),
        ("head", weights.head_file),
        ("licence", weights.license or "unknown"),
        ("size", size_text(model, files)),
        ("files", described),
    ]
    return "\n".join([model.name, *(f"  {key:<11} {value}" for key, value in rows if value)])


def argument_parser() -> argparse.ArgumentParser:
    """The options of the command, without parsing any."""
    parser = argparse.ArgumentParser(
        prog="oodbench-models", description="The models that oodbench knows, and their weights."
    )
    add_version(parser)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    commands: Sequence[tuple[str, Command, str]] = (
        ("list", list_models, "which models there are, how large, under which licence"),
        ("check", check, "are the weights there, of the right hash, loadable, of the right size?"),
        ("fetch", fetch, "download weights; an interrupted download is resumed"),
    )
    for name, command, summary in commands:
        sub = subparsers.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command)
        sub.add_argument(
            "words",
            nargs="*",
            metavar="NAME",
            help="models (default: all that are shipped), and overrides such as "
            "model.timm_name=resnet18.tv_in1k",
        )
        sub.add_argument("--published", action="store_true", help="the 26 of the published table")
        sub.add_argument(
            "--weights-dir",
            type=Path,
            metavar="DIR",
            help="folder of weights files (default: OODBENCH_WEIGHTS, else weights)",
        )
        sub.add_argument(
            "--config-dir", type=Path, metavar="DIR", help="folder with configs of your own"
        )
        if name == "list":
            sub.add_argument("--details", action="store_true", help="sources, hashes, files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
