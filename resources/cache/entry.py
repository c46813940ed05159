"""A cached value in this process."""

import functools
from time import monotonic
from typing import Any

from resources.cache.envelope import Payload, Versions, decode

TRUST_S = 60.0  # beside a Redis, how long memory and disk trust a mutable value that was not checked again
OVERHEAD = 400  # bytes of the objects around a value
_SHARED = (str, bytes, int, float, bool, type(None))


Life = tuple[float, float, float]  # seconds since it was made, seconds it is fresh, seconds it can be served


class Entry:
    """Times are of the monotonic clock. `seen` is what the change board had in `slot` before the value was read."""

    __slots__ = (
        *("checked_at", "dead_at", "fresh_until", "is_throttled", "judged", "kind", "made_at", "payload", "seen"),
        *("served_until", "size", "slot", "trusted_until", "value", "versions"),
    )

    def __init__(self, kind: Any, payload: Payload, value: Any, life: Life, versions: Versions) -> None:
        age, ttl, total = life
        self.made_at = monotonic() - age
        self.fresh_until = self.served_until = self.made_at + ttl
        self.dead_at = self.made_at + total
        self.kind, self.payload, self.versions = kind, payload, versions
        # what a caller could change is decoded for each caller
        self.value = value if isinstance(value, _SHARED) or _is_frozen(kind) else None
        held = self.value is not None
        self.size = len(payload.data) + held * (payload.uncompressed or len(payload.data)) + OVERHEAD
        self.is_throttled = False  # served for a while because its factory failed: not to be refreshed early
        self.judged = -1  # TagVersions.moves when the versions were last found valid
        self.slot = self.seen = 0
        self.checked_at = self.trusted_until = float("inf")

    def trust_since(self, checked_at: float) -> None:
        """Bounds how long the value is trusted, since it may change elsewhere unheard."""
        self.checked_at, self.trusted_until = checked_at, checked_at + TRUST_S
        self.served_until = min(self.fresh_until, self.trusted_until)

    @property
    def is_trusted(self) -> bool:
        """Whether no change elsewhere has to be heard."""
        return self.trusted_until == float("inf")

    def throttle(self, seconds: float) -> None:
        """Serves it as if it were fresh, though it has expired."""
        self.fresh_until = self.served_until = monotonic() + seconds
        self.is_throttled = True

    def read(self) -> Any:
        return self.value if self.value is not None else decode(self.payload, self.kind)

    def is_fresh(self) -> bool:
        return monotonic() < self.served_until

    def is_usable(self) -> bool:
        """Whether it may be served at all, fresh or not."""
        return monotonic() < min(self.dead_at, self.trusted_until)

    def is_due(self, eager: float | None) -> bool:
        """Whether the share `eager` of its ttl has passed."""
        if eager is None or self.is_throttled:
            return False
        return monotonic() >= self.made_at + eager * (self.fresh_until - self.made_at)


@functools.cache
def _is_frozen(kind: Any) -> bool:
    """Whether it is a msgspec.Struct that is declared frozen."""
    config = getattr(kind, "__struct_config__", None)
    return config is not None and config.frozen
