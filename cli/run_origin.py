"""Links a run of the command line to its job in the code location: the UI's timeline shows no other runs."""

from functools import partial

from dagster import DagsterInstance
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

from resources.common.settings import PROJECT

REPOSITORY = "__repository__"  # Dagster's name for the definitions of a code location
# the daemon would start an interrupted run again, although the next command does so
NO_RETRY = {"dagster/max_retries": "0"}


def link_next_run(instance: DagsterInstance, job: str) -> None:
    """Gives the next run that `instance` creates the origin of a job in workspace.yaml.

    `execute_in_process` has no parameter for the origin.
    """
    (location,) = WorkspaceFileTarget([str(PROJECT / "workspace.yaml")]).create_origins()
    origin = RemoteRepositoryOrigin(location, REPOSITORY).get_job_origin(job)
    create = partial(DagsterInstance.create_run_for_job, instance, remote_job_origin=origin)
    vars(instance)["create_run_for_job"] = create
