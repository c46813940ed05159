"""A reference implementation of `culprits` in Python, for small registries, and random registries to compare on."""

from collections import defaultdict
from datetime import datetime
from functools import cache
from random import Random

from testing import semver_reference as semver

AT = datetime(2020, 5, 1)
NUMS = ("1.0.0", "1.1.0", "2.0.0", "3.0.0")
REQS = ("^1", "=1.0.0", "^2", "^3", ">=1.1", "*", "*")

Version = tuple[str, str]  # crate and number


def random_facts(seed: int, at: datetime = AT, crates: int = 80) -> dict[str, list[dict]]:
    """Crates with random dependencies, cycles included; some versions are yanked or have an issue."""
    random = Random(seed)
    names = [f"c{n:03}" for n in range(crates)]
    versions = [(name, num) for name in names for num in sorted(random.sample(NUMS, random.choice((1, 3, 4, 4))))]
    dependencies = [
        {
            "name": name,
            "num": num,
            "dependency": min(random.choices(names, k=2)),  # so that some crates have many dependents
            "req": random.choice(REQS),
            "kind": random.choice(("normal", "normal", "normal", "build", "dev")),
            "optional": random.random() < 0.1,
            "default_features": True,
        }
        for name, num in versions
        for _ in range(random.choice((0, 2, 2, 3)))
    ]
    advisories = [
        {
            "id": f"RUSTSEC-{seed}-{number:04}",
            "package": min(random.choices(names, k=2)),
            "date": at.date(),
            "known_at": at,
            "informational": random.choice((None, None, "unmaintained", "unsound", "notice")),
            "patched": random.choice(([], [">=2"], ["^1.1", ">=3"], [">=1.1"])),
            "unaffected": random.choice(([], ["<1.1"])),
        }
        for number in range(24)
    ]
    return {
        "versions": [
            {
                "name": name,
                "num": num,
                "position": NUMS.index(num),
                "published_at": at,
                "published_after": at,
                "published_at_exact": True,
                "feature_names": [],
            }
            for name, num in versions
        ],
        "dependencies": dependencies,
        "yanks": [
            {"name": name, "num": num, "yanked_at": at, "yanked_at_exact": True}
            for name, num in random.sample(versions, len(versions) // 20)
        ],
        "advisories": advisories,
    }


def matches(req: str, num: str) -> bool:
    return semver.matches(semver.parse_requirement(req), semver.parse_version(num))


def culprits_reference(facts: dict[str, list[dict]]) -> list[dict]:
    """The rows of `culprits`, sorted by key, with the columns that are not copied from the facts."""
    nums: dict[str, list[str]] = defaultdict(list)
    for row in facts["versions"]:
        nums[row["name"]].append(row["num"])
    yanked = {(row["name"], row["num"]) for row in facts["yanks"]}
    dependencies: dict[Version, list[tuple[str, str]]] = defaultdict(list)
    for row in facts["dependencies"]:
        if row["kind"] != "dev" and not row["optional"]:
            dependencies[row["name"], row["num"]].append((row["dependency"], row["req"]))

    @cache
    def newest(name: str, req: str) -> Version | None:
        matching = [num for num in nums[name] if (name, num) not in yanked and matches(req, num)]
        return (name, max(matching)) if matching else None

    @cache
    def direct(version: Version) -> frozenset[Version]:
        return frozenset(found for need in dependencies[version] if (found := newest(*need)))

    @cache
    def tree(version: Version) -> frozenset[Version]:
        """The version and its transitive dependencies."""
        found, pending = {version}, [version]
        while pending:
            new = direct(pending.pop()) - found
            found |= new
            pending += new
        return frozenset(found)

    @cache
    def can_be_built(version: Version) -> bool:
        return all(newest(*need) for v in tree(version) for need in dependencies[v])

    def affected_by(issue: str) -> dict[Version, list[str]]:
        found: dict[Version, list[str]] = defaultdict(list)
        for row in facts["advisories"]:
            safe = row["patched"] + row["unaffected"]
            if (row["informational"] or "vulnerable") == issue:
                for num in nums[row["package"]]:
                    if not any(matches(req, num) for req in safe):
                        found[row["package"], num].append(row["id"])
        return found

    def shortest(start: Version, end: Version) -> list[Version]:
        paths = [[start]]
        while not any(path[-1] == end for path in paths):
            paths = [[*path, n] for path in paths for n in direct(path[-1]) if n not in path and end in tree(n)]
        return min(path for path in paths if path[-1] == end)

    def fixed(version: Version, culprit: str, affected: set[Version]) -> tuple[str | None, bool]:
        """The version to change to, and whether it is newer."""
        name, num = version
        bad = {v for v in affected if v[0] == culprit}
        found = [
            n for n in nums[name] if (name, n) not in yanked and can_be_built((name, n)) and not bad & tree((name, n))
        ]
        return max(found, default=None), bool(found) and max(found) > num

    rows = []
    for name in nums:
        root = (name, max(nums[name], key=lambda num: ((name, num) not in yanked, num)))
        if root in yanked:
            continue
        for issue in ("vulnerable", "unsound", "unmaintained"):
            affected = affected_by(issue)
            below = frozenset().union(*(tree(v) for v in direct(root)))
            for culprit in below & affected.keys():
                if culprit[0] == name:
                    continue
                path = shortest(root, culprit)
                fixes = [fixed(version, culprit[0], set(affected)) for version in path]
                steps = [step for step in range(1, len(path)) if fixes[step][0]]
                act = min(steps, key=lambda step: (not fixes[step][1], step), default=None)
                held = [req for n, req in dependencies[path[-2]] if newest(n, req) == culprit]
                rows.append(
                    {
                        "crate": name,
                        "culprit": culprit[0],
                        "culprit_version": culprit[1],
                        "issue": issue,
                        "advisories": sorted(affected[culprit]),
                        "path": [v[0] for v in path],
                        "through": sorted({v[0] for v in direct(root) if culprit in tree(v)}),
                        "holders": len({v[0] for v in (below | {root}) - {culprit} if culprit in direct(v)}),
                        "holder_version": path[-2][1],
                        "holder_requirement": min(held),
                        "holder_fixed_version": fixes[-2][0],
                        "fixed_version": fixes[-1][0],
                        "fixable_by": "nobody" if act is None else "you" if act == 1 else "dependency",
                        "actor": None if act is None else path[act - 1][0],
                    }
                )
    return sorted(rows, key=lambda row: (row["crate"], row["culprit"], row["culprit_version"], row["issue"]))
