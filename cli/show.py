"""`crates show`: one crate in words, for a Rust developer who has never seen a statistic."""

import logging
from collections.abc import Iterator
from typing import Any

import msgspec

from cli.terminal import bold, print_item, print_line, print_paragraph, printable
from resources.cache import CacheSettings, open_cache
from resources.common.errors import BadInput, CannotWrite
from resources.common.settings import Settings
from resources.warehouse.table_store import TableStore
from serving.crate_lookup import look_up, read_crate, require_scores, suggest_names
from serving.wording import (
    WORDINGS,
    common_denominator,
    count,
    is_notable,
    word_evidence,
    word_score,
)

LABEL_WIDTH = max(len(wording.label) for wording in WORDINGS.values()) + 2
MAX_PROBLEMS, MAX_REASONS = 3, 4  # of the short answer
DEPENDENCY_FACTS = {
    "dependencies_unresolved": ("dependency has", "dependencies have", "no matching version: the build fails"),
    "dependencies_outdated": ("dependency is", "dependencies are", "outdated: the newest release is not allowed"),
    "requirements_wildcard": ("requirement is", "requirements are", "a wildcard: any version may be chosen"),
}

Crate = dict[str, Any]


def show_crate(settings: Settings, name: str, why: bool, as_json: bool) -> None:
    """Prints what is known about a crate. Raises BadInput if there are no scores, or none of this name."""
    store = TableStore(root=str(settings.warehouse))
    require_scores(store)
    crate = _look_up(store, settings, name)
    if crate is None:
        raise BadInput(_unknown_name(store, name))
    if as_json:
        print_line(msgspec.json.format(msgspec.json.encode(crate), indent=2).decode())
        return
    _print_crate(crate, why)


def _look_up(store: TableStore, settings: Settings, name: str) -> Crate | None:
    try:
        cache = open_cache(CacheSettings.of(settings))
    except CannotWrite as error:  # a data folder that is read-only can still be read
        logging.getLogger("crates").info("no cache: %s", error)
        return read_crate(store, name)
    return look_up(store, cache, name)


def _unknown_name(store: TableStore, name: str) -> str:
    suggestions = suggest_names(store, name)
    nearest = f"; did you mean {', '.join(suggestions)}?" if suggestions else "; check the spelling"
    return f"there is no crate '{printable(name[:80])}' in these tables{nearest}"


def _print_crate(crate: Crate, why: bool) -> None:
    print_heading(crate)
    print_line()
    for target, score in crate["scores"].items():
        print_paragraph(word_score(target, score), label=WORDINGS[target].label, hanging=LABEL_WIDTH)
    print_line(f"\n{bold('Known problems')}")
    if not print_problems(crate, None if why else MAX_PROBLEMS):
        print_item("none in it, and none in its build")
    if why:
        _print_details(crate)
    else:
        _print_reasons(crate)


def print_heading(crate: Crate) -> None:
    """What it is, how many build on it, and as of when."""
    described = crate["description"] or "no description known"
    print_paragraph(f"{crate['version']}: {described}", label=crate["name"], gap=1)
    print_paragraph(_facts(crate))


def _facts(crate: Crate) -> str:
    days = crate["days_since_release"]
    released = (
        f"Last release {int(days['min']):,} days earlier."
        if days["min"] == days["max"]
        else f"Last release at least {int(days['min']):,} days earlier."
    )
    return (
        f"{_dependents(crate['dependents'], crate['dependents_independent'])} "
        f"As of {crate['refreshed_at'] or crate['as_of']}. {released}"
    )


def _dependents(crates: int, projects: int) -> str:
    if not crates:
        return "No crate builds on it."
    return (
        f"{'1 crate builds' if crates == 1 else f'{crates:,} crates build'} on it, "
        f"from {'1 other project' if projects == 1 else f'{projects:,} other projects'}."
    )


def print_problems(crate: Crate, limit: int | None) -> bool:
    """Prints the most serious problems; returns whether there are any."""
    problems = list(_problems(crate))
    for problem in problems[:limit]:
        print_item(problem)
    if limit is not None and len(problems) > limit:
        print_item(f"and {len(problems) - limit} more: `crates show {crate['name']} --why`")
    return bool(problems)


def _problems(crate: Crate) -> Iterator[str]:
    """What is wrong, who must act and what to do; the most serious first."""
    if crate["is_vulnerable"]:
        yield (
            f"A known vulnerability affects {crate['version']}, the version that Cargo chooses: its owner must publish "
            f"a fix. Advisories on {crate['name']}: {_advisories(crate, 'vulnerability')}"
        )
    if crate["is_unmaintained"]:
        yield f"It is unmaintained ({_advisories(crate, 'unmaintained')}): use another crate instead"
    if crate["all_yanked"]:
        yield "Every version is yanked: new projects cannot use it"
    for culprit in crate["culprits"]:
        yield _culprit(culprit)
    for fact, (one, many, meaning) in DEPENDENCY_FACTS.items():
        if number := crate[fact]:
            yield f"{number} {one if number == 1 else many} {meaning}"


def _advisories(crate: Crate, kind: str) -> str:
    found = [advisory for advisory in crate["advisories"] if advisory["kind"] == kind]
    return "; ".join(
        f"{advisory['id']}, fixed in {' or '.join(advisory['patched'])}" if advisory["patched"] else advisory["id"]
        for advisory in found
    )


def _culprit(culprit: dict[str, Any]) -> str:
    between = culprit["path"][1:-1]
    through = f"through {' → '.join(between)}" if between else "which it requires itself"
    remedy = culprit["remedy"]
    act = f"{culprit['actor']} must {remedy}" if culprit["fixable_by"] == "you" else f"{remedy[0].upper()}{remedy[1:]}"
    return (
        f"{culprit['culprit']} {culprit['culprit_version']} in its build is {culprit['issue']} "
        f"({', '.join(culprit['advisories'])}), {through}. {act}"
    )


def _print_reasons(crate: Crate) -> None:
    """The strongest fact behind each score, each fact once."""
    reasons: dict[str, str] = {}
    for target, score in crate["scores"].items():
        if score["is_known"]:
            for evidence in filter(is_notable, score["evidence"][:1]):
                reasons.setdefault(evidence["words"], word_evidence(target, evidence))
    if reasons:
        print_line(f"\n{bold('Why')} (all of it: `crates show {crate['name']} --why`)")
    for reason in list(reasons.values())[:MAX_REASONS]:
        print_item(reason)


def _print_details(crate: Crate) -> None:
    """Every score with its range, its evidence, and what its owner could do about it."""
    for target, score in crate["scores"].items():
        if not score["is_known"]:
            continue
        print_line(f"\n{bold(f'Why: {WORDINGS[target].label.lower()}')}")
        print_item(f"{_range(score)}")
        for evidence in filter(is_notable, score["evidence"]):
            print_item(f"{word_evidence(target, evidence)}")
        for change in score["changes"]:
            if change["is_advice"]:
                print_item(f"What its owner can do: {_change(score, change)}")
    print_line()
    print_paragraph(
        "The scores come from what happened to other crates: they say what goes together, not what causes what. "
        "docs/predictions.md explains them, docs/backtest.md shows how often they were right."
    )


def _range(score: dict[str, Any]) -> str:
    low, high = sorted((score["worst"], score["best"]))
    denominator = common_denominator(low, score["base_rate"])
    lowest, highest = count(low, denominator), count(high, denominator)
    known = f"{score['coverage']:.0%} of the facts behind it are known"
    if lowest == highest:
        return f"{known}; the others would not change it"
    return f"{known}; between {lowest} and {highest} of {denominator:,}, whatever the others are"


def _change(score: dict[str, Any], change: dict[str, Any]) -> str:
    denominator = common_denominator(min(score["worst"], change["worst"]), score["base_rate"])
    before, after = (count(end["worst"], denominator) for end in (score, change))
    return f"{change['change']}; of crates like it with that, {after} of {denominator:,} instead of {before}"
