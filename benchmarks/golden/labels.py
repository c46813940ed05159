"""The golden crates and the development labels. A file that breaks their format is refused."""

import csv
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FENCE = "+++"
MAX_LABELS = 3

SLUGS = frozenset(
    [
        "accessibility",
        "aerospace",
        "algorithms",
        "api-bindings",
        "asynchronous",
        "authentication",
        "automotive",
        "caching",
        "command-line-interface",
        "command-line-utilities",
        "compilers",
        "compression",
        "computer-vision",
        "concurrency",
        "config",
        "cryptography",
        "data-structures",
        "database",
        "database-implementations",
        "date-and-time",
        "development-tools",
        "email",
        "embedded",
        "emulators",
        "encoding",
        "external-ffi-bindings",
        "filesystem",
        "finance",
        "game-development",
        "game-engines",
        "games",
        "graphics",
        "gui",
        "hardware-support",
        "internationalization",
        "localization",
        "mathematics",
        "memory-management",
        "multimedia",
        "network-programming",
        "no-std",
        "os",
        "parser-implementations",
        "parsing",
        "rendering",
        "rust-patterns",
        "science",
        "security",
        "simulation",
        "template-engine",
        "text-editors",
        "text-processing",
        "value-formatting",
        "virtualization",
        "visualization",
        "wasm",
        "web-programming",
    ]
)
KINDS = frozenset(
    [
        "normal",
        "none",
        "one-line",
        "badges",
        "non-english",
        "code-only",
        "html",
        "hostile",
        "large",
        "placeholder",
        "sparse",
        "rst",
    ]
)
# key: type, minimum and maximum number of items of a list
KEYS: dict[str, tuple[type, int, int]] = {
    "name": (str, 0, 0),
    "description": (str, 0, 0),
    "keywords": (list, 0, 5),
    "kind": (str, 0, 0),
    "primary": (str, 0, 0),
    "also": (list, 0, MAX_LABELS - 1),
    "language": (str, 0, 0),
    "has_summary": (bool, 0, 0),
    "facts": (list, 0, 5),
    "false_claims": (list, 0, 3),
    "use_cases": (list, 0, 3),
    "repeat": (list, 2, 2),
    "append": (str, 0, 0),
}
REQUIRED = ("name", "kind", "has_summary", "facts", "use_cases")


@dataclass(frozen=True)
class GoldenCrate:
    """One labelled crate; `primary` is None if the text names no category."""

    name: str
    description: str | None
    keywords: tuple[str, ...]
    readme: str | None
    kind: str
    primary: str | None
    also: tuple[str, ...]
    language: str | None
    has_summary: bool
    facts: tuple[str, ...]
    false_claims: tuple[str, ...]
    use_cases: tuple[str, ...]

    @property
    def accepted(self) -> frozenset[str]:
        """The categories that count as right; empty if "unknown" is the right answer."""
        return frozenset(slug for slug in (self.primary, *self.also) if slug)


def golden(folder: Path = HERE / "crates") -> list[GoldenCrate]:
    """All golden crates, sorted by name. Raises ValueError."""
    crates = sorted((_read_crate(path) for path in folder.glob("*.md")), key=lambda crate: crate.name)
    if not crates:
        raise ValueError(f"{folder}: no *.md files, expected one for each golden crate")
    return crates


def dev_labels(path: Path = HERE / "dev_labels.csv") -> dict[str, tuple[str, frozenset[str]]]:
    """The primary category and all accepted categories by the name of the crate. Raises ValueError."""
    labels: dict[str, tuple[str, frozenset[str]]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            place = f"{path}: {row['name']}"
            if row["name"] in labels:
                raise ValueError(f"{place}: name: found twice, expected once")
            also = tuple(row["also"].split(";")) if row["also"] else ()
            _check_slugs(place, row["primary"], also)
            labels[row["name"]] = (row["primary"], frozenset((row["primary"], *also)))
    return labels


def _read_crate(path: Path) -> GoldenCrate:
    matter, readme = _split(path, path.read_bytes().decode("utf-8"))
    try:
        fields = tomllib.loads(matter)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: front matter: {error}") from error
    _check_types(path, fields)
    _check_values(path, fields)
    return GoldenCrate(
        name=fields["name"],
        description=fields.get("description"),
        keywords=tuple(fields.get("keywords", ())),
        readme=_whole_readme(path, readme, fields) or None,
        kind=fields["kind"],
        primary=fields.get("primary"),
        also=tuple(fields.get("also", ())),
        language=fields.get("language"),
        has_summary=fields["has_summary"],
        facts=tuple(fields["facts"]),
        false_claims=tuple(fields.get("false_claims", ())),
        use_cases=tuple(fields["use_cases"]),
    )


def _split(path: Path, text: str) -> tuple[str, str]:
    found = re.match(r"\+\+\+\n(.*?\n)\+\+\+(?:\n|\Z)", text, re.DOTALL)
    if not found:
        raise ValueError(f"{path}: front matter: not found, expected between two lines {FENCE}")
    return found[1], text[found.end() :]


def _whole_readme(path: Path, readme: str, fields: dict) -> str:
    if "repeat" in fields:
        text, times = fields["repeat"]
        if not (isinstance(text, str) and isinstance(times, int) and times > 0):
            raise ValueError(f"{path}: repeat: expected a text and a count")
        readme += text * times
    return readme + fields.get("append", "")


def _check_types(path: Path, fields: dict) -> None:
    for key in REQUIRED:
        if key not in fields:
            raise ValueError(f"{path}: {key}: missing")
    for key, value in fields.items():
        if key not in KEYS:
            raise ValueError(f"{path}: {key}: unknown key")
        expected, min_items, max_items = KEYS[key]
        if not isinstance(value, expected):
            raise ValueError(f"{path}: {key}: {type(value).__name__}, expected {expected.__name__}")
        if isinstance(value, list) and not min_items <= len(value) <= max_items:
            raise ValueError(f"{path}: {key}: {len(value)} items, expected {min_items} to {max_items}")
        if isinstance(value, list) and key != "repeat" and not all(isinstance(item, str) and item for item in value):
            raise ValueError(f"{path}: {key}: expected non-empty texts only")


def _check_values(path: Path, fields: dict) -> None:
    if path.stem != fields["name"]:
        raise ValueError(f"{path}: name: {fields['name']!r} is not the name of the file")
    if fields["kind"] not in KINDS:
        raise ValueError(f"{path}: kind: unknown kind {fields['kind']!r}")
    if not re.fullmatch("[a-z]{2}", fields.get("language", "en")):
        raise ValueError(f"{path}: language: {fields['language']!r}, expected two letters")
    if fields["has_summary"] != bool(fields["facts"]):
        raise ValueError(f"{path}: facts: expected if and only if has_summary is true")
    if "primary" in fields:
        _check_slugs(str(path), fields["primary"], tuple(fields.get("also", ())))
    elif fields.get("also"):
        raise ValueError(f"{path}: also: found without primary")


def _check_slugs(place: str, primary: str, also: tuple[str, ...]) -> None:
    if primary not in SLUGS:
        raise ValueError(f"{place}: primary: unknown slug {primary!r}")
    for slug in also:
        if slug not in SLUGS:
            raise ValueError(f"{place}: also: unknown slug {slug!r}")
    if len({primary, *also}) != 1 + len(also) or len(also) >= MAX_LABELS:
        raise ValueError(f"{place}: also: a slug is repeated, or there are more than {MAX_LABELS} with the primary")
