"""A cached value in the memory of this process."""

import functools
from time import monotonic
from typing import Any

from resources.cache.envelope import Payload, Versions, decode

TRUST_S = 60.0  # with Redis, how long memory and disk serve a mutable value without a check
OVERHEAD = 400  # bytes of the objects that hold a value
_SHARED = (str, bytes, int, float, bool, type(None))


Life = tuple[
    float, float, float
]  # age, time it is fresh and time it can be served, in seconds since the factory returned


class Entry:
    """A value with its times (of the monotonic clock), tags, and the change number of its slot before it was read."""

    __slots__ = (
        *(
            "checked_at",
            "dead_at",
            "fresh_until",
            "is_throttled",
            "checked_revision",
            "kind",
            "made_at",
            "payload",
            "change_number",
        ),
        *("served_until", "size", "slot", "trusted_until", "value", "versions"),
    )

    def __init__(self, kind: Any, payload: Payload, value: Any, life: Life, versions: Versions) -> None:
        age, ttl, total = life
        self.made_at = monotonic() - age
        self.fresh_until = self.served_until = self.made_at + ttl
        self.dead_at = self.made_at + total
        self.kind, self.payload, self.versions = kind, payload, versions
        # a mutable value is decoded for each caller
        self.value = value if isinstance(value, _SHARED) or _is_frozen(kind) else None
        held = self.value is not None
        self.size = len(payload.data) + held * (payload.uncompressed or len(payload.data)) + OVERHEAD
        self.is_throttled = False  # served because its factory failed: no early refresh
        self.checked_revision = -1  # TagVersions.revision at the last successful check of the versions
        self.slot = self.change_number = 0
        self.checked_at = self.trusted_until = float("inf")

    def trust_since(self, checked_at: float) -> None:
        """Limits how long the value is served, since messages about changes may be lost."""
        self.checked_at, self.trusted_until = checked_at, checked_at + TRUST_S
        self.served_until = min(self.fresh_until, self.trusted_until)

    @property
    def is_trusted(self) -> bool:
        """Whether the value is served without messages about changes."""
        return self.trusted_until == float("inf")

    def throttle(self, seconds: float) -> None:
        """Makes an expired value count as fresh for `seconds`."""
        self.fresh_until = self.served_until = monotonic() + seconds
        self.is_throttled = True

    def read(self) -> Any:
        return self.value if self.value is not None else decode(self.payload, self.kind)

    def is_fresh(self) -> bool:
        return monotonic() < self.served_until

    def is_usable(self) -> bool:
        """Returns whether the value may be served, fresh or stale."""
        return monotonic() < min(self.dead_at, self.trusted_until)

    def is_due(self, eager: float | None) -> bool:
        """Returns whether the share `eager` of the ttl has passed."""
        if eager is None or self.is_throttled:
            return False
        return monotonic() >= self.made_at + eager * (self.fresh_until - self.made_at)


@functools.cache
def _is_frozen(kind: Any) -> bool:
    """Returns whether `kind` is a frozen msgspec.Struct."""
    config = getattr(kind, "__struct_config__", None)
    return config is not None and config.frozen
