"""Baselines for the model: single signals, and the formulas of other tools as far as the columns allow.

A formula's part whose column the source lacks is excluded from the points granted and from the points available, as in
the original tools; `covers` describes what remains.
"""

from ml.baselines.cargo_aprz import CARGO_APRZ
from ml.baselines.conemass import CONEMASS
from ml.baselines.criticality_score import CRITICALITY_SCORE
from ml.baselines.formula import Baseline
from ml.baselines.lib_rs import LIB_RS
from ml.baselines.naive import SIGNALS
from ml.baselines.npms import NPMS
from ml.baselines.pagerank import PAGERANK
from ml.baselines.source_rank import SOURCE_RANK

BASELINES: dict[str, Baseline] = {
    b.name: b for b in (*SIGNALS, CARGO_APRZ, LIB_RS, SOURCE_RANK, *NPMS, CRITICALITY_SCORE, PAGERANK, CONEMASS)
}
