"""`make ui`: the Dagster web server and daemon on our instance, until interrupted."""

import os
import sys
from pathlib import Path

from pipeline_defs.instance import prepare_home
from resources.common.errors import CannotWrite
from resources.common.settings import PROJECT, Settings


def main() -> None:
    settings = Settings.from_env()
    try:
        prepare_home(settings)
    except CannotWrite as error:
        sys.exit(f"error: {error}")
    # from the instance's folder it finds one dagster.yaml, the one in use
    os.chdir(settings.dagster_home)
    os.environ["PYTHONPATH"] = str(PROJECT)
    dg = str(Path(sys.executable).with_name("dg"))
    os.execv(dg, [dg, "dev", "--host", "127.0.0.1", "-w", str(PROJECT / "workspace.yaml"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
