"""`make ui`: the Dagster web server and daemon on our instance, until interrupted."""

import os
import shutil
import sys

from pipeline_defs.instance import prepare_home
from resources.errors import CannotWrite
from resources.settings import PROJECT, Settings


def main() -> None:
    try:
        prepare_home(Settings.from_env())
    except CannotWrite as error:
        sys.exit(f"error: {error}")
    os.chdir(PROJECT)
    dg = shutil.which("dg") or "dg"
    os.execvp(dg, [dg, "dev", "--host", "127.0.0.1", *sys.argv[1:]])


if __name__ == "__main__":
    main()
