"""Number of examples of the fuzz tests: `CRATES_FUZZ_EXAMPLES=2000 pytest -k "fuzz or corrupt"` for a long run."""

import os

EXAMPLES = int(os.environ.get("CRATES_FUZZ_EXAMPLES", "20"))


def times(examples: int) -> int:
    """The number of examples of a test that has `examples` by default, scaled by CRATES_FUZZ_EXAMPLES / 20."""
    return max(examples * EXAMPLES // 20, 1)
