"""Which jobs are together in a task of an array, and that a task finds its own."""

from itertools import product
from pathlib import Path

import pytest

from oodbench.core.errors import DataError
from oodbench.sweeps.standing.definition import sweep_of
from oodbench.sweeps.submission.tasks import read_task, tasks_of, write_tasks

JOBS = [
    [f"model={model}", f"benchmark={benchmark}"]
    for model, benchmark in product(("resnet50", "moco_v2"), ("imagenet", "imagenet_a"))
]


def test_all_cells_of_a_model_are_one_task_and_one_command() -> None:
    tasks = tasks_of(sweep_of([], JOBS), JOBS)
    assert [(task.name, task.commands) for task in tasks] == [
        ("model=resnet50", [["-m", "model=resnet50", "benchmark=imagenet,imagenet_a"]]),
        ("model=moco_v2", [["-m", "model=moco_v2", "benchmark=imagenet,imagenet_a"]]),
    ]


def test_shards_and_changed_models_are_tasks_of_their_own() -> None:
    jobs = [
        ["model=resnet50", "shard.count=2", f"shard.index={index}", f"model.std=[{std}]"]
        for index, std in product((0, 1), (0.5, 0.25))
    ]
    assert len(tasks_of(sweep_of([], jobs), jobs)) == 4


def test_a_task_is_read_by_its_number(tmp_path: Path) -> None:
    tasks = tasks_of(sweep_of([], JOBS), JOBS)
    write_tasks(tmp_path, tasks)
    assert [read_task(tmp_path, number) for number in (0, 1)] == tasks
    with pytest.raises(DataError, match="no task 2: submit the sweep again"):
        read_task(tmp_path, 2)
