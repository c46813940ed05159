"""How long the fuzzers look: `CRATES_FUZZ_EXAMPLES=2000 pytest -k "fuzz or whatever"` for a night; 20 unless set."""

import os

EXAMPLES = int(os.environ.get("CRATES_FUZZ_EXAMPLES", "20"))


def times(examples: int) -> int:
    """How many examples a fuzzer tries that tries `examples` in the suite."""
    return max(examples * EXAMPLES // 20, 1)
