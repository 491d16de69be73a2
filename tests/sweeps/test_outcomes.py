"""What Hydra's callback does at the end of a job."""

import pickle

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from oodbench.sweeps.jobs import Launch
from oodbench.sweeps.outcomes import RememberLaunch


def test_the_configs_of_jobs_that_have_ended_are_not_kept() -> None:
    launch = Launch(["model=resnet50"])
    config = launch.config(launch.jobs[0])
    job = JobReturn(
        overrides=["model=resnet50"],
        cfg=config,
        hydra_cfg=OmegaConf.create({"hydra": {}}),
        status=JobStatus.COMPLETED,
    )
    RememberLaunch().on_job_end(config=config, job_return=job)
    assert len(pickle.dumps(job)) < 500  # what launchers send back
    assert (job.overrides, job.status) == (["model=resnet50"], JobStatus.COMPLETED)
