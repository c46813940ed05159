"""What the model is compared with: single signals, and the peers' formulas as far as the source's columns go.

Formulas: `reference/peer-baselines.md`. What a source does not have is left out of what is granted and of what there
was to get, as the peers do; `covers` says how much that leaves.
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
