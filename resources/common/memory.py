"""How much memory a process may still allocate."""

from pathlib import Path

MEMINFO, LIMIT, USED = (
    Path(p) for p in ("/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
)


def available_bytes() -> int | None:
    """The memory available on the system or within the container's limit, whichever is less; None if unknown."""
    found = [int(line.split()[1]) << 10 for line in _lines(MEMINFO) if line.startswith("MemAvailable:")]
    limit, used = _lines(LIMIT), _lines(USED)
    if limit and used and limit[0].isdecimal():
        found.append(int(limit[0]) - int(used[0]))
    return min(found, default=None)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
