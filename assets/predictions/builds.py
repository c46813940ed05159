"""Expected events over whole builds."""

from datetime import date
from typing import TYPE_CHECKING

from assets.table_build import SQL, BuildContext

if TYPE_CHECKING:
    import pandas as pd

    from ml.models.additive import Additive


def tree_sums(context: BuildContext, hazard: "Additive", everyone: "pd.DataFrame", builds: str) -> "pd.DataFrame":
    """The columns of `assets/sql/tree_sums.sql` for each row of the query `builds` (crate, build), sorted by crate.

    `everyone` has the features of all crates that a build may contain. Creates the views `crate_hazards` and `builds`.
    """
    import numpy as np
    import pandas as pd

    from ml.features import values_of

    values = values_of(everyone)
    effects = hazard.effects(values)
    lowest, highest = hazard.ends(values, effects)
    events = {
        name: np.exp(np.ascontiguousarray(part).sum(axis=1) + hazard.intercept)
        for name, part in (("events", effects), ("events_low", lowest), ("events_high", highest))
    }
    hazards = pd.DataFrame({"crate": everyone["crate"], **events, "coverage": hazard.coverage(values)})
    context.con.register("crate_hazards", hazards)
    context.con.execute(f"create or replace temp view builds as {builds}")
    return context.con.execute((SQL / "tree_sums.sql").read_text()).df()


def builds_of(as_of: date) -> str:
    """The query of the builds of one date in `features`."""
    return f"select crate, build from features where as_of = date '{as_of}'"
