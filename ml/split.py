"""Which dates and families train, calibrate and test: later than, and apart from, each other."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT = 0.3  # share of families that training and calibration never see


class TooFewDates(ValueError):
    """There are not enough labelled as-of dates to train on one and test on a later."""


@dataclass(frozen=True)
class Split:
    """As-of dates: every label of `train` and `calibration` was known by `test`."""

    train: tuple[date, ...]
    calibration: date
    test: date
    horizon_days: int

    @property
    def known_through(self) -> date:
        """The date by which every label used, the test's too, was known."""
        return self.test + timedelta(days=self.horizon_days)


def split(labelled: list[date], horizon_days: int) -> Split:
    """Tests on the newest labelled date; calibrates on the newest known by then; trains on what is earlier."""
    dates = sorted(labelled)
    known = [d for d in dates if dates and d + timedelta(days=horizon_days) <= dates[-1]]
    if len(known) < 2:
        raise TooFewDates(
            f"training needs two as-of dates whose {horizon_days}-day labels were known by a third; "
            f"labelled are {', '.join(map(str, dates)) or 'none'}: compute features and labels for more dates"
        )
    return Split(tuple(known[:-1]), known[-1], dates[-1], horizon_days)


def held_out(families: "pd.Series") -> "pd.Series":
    """True for the families that training and calibration never see: by hash, so the same in every run."""
    share = families.map({f: int(hashlib.sha256(f.encode()).hexdigest()[:8], 16) / 2**32 for f in families.unique()})
    return share < HELD_OUT
