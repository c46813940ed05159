"""The RSS feeds of crates.io: valid feeds, invalid feeds and invalid items."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput
from resources.crates_io.rss_feed import MAX_BYTES, MAX_ITEMS, FeedItem, RejectedItem, parse_feed
from testing.fuzzing import times

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:crates="https://crates.io/">
    <channel>
        <title>crates.io: recent updates</title>
        <link>https://crates.io/</link>
        <description>Recent version publishes on the crates.io package registry</description>
        <language>en</language>
        <atom:link href="https://static.crates.io/rss/updates.xml" rel="self" type="application/rss+xml"/>
"""
TAIL = "    </channel>\n</rss>\n"
UPDATE = """        <item>
            <title>New crate version published: bar v3.0.0-beta.1</title>
            <link>https://crates.io/crates/bar/3.0.0-beta.1</link>
            <description><![CDATA[a <!DOCTYPE html> & <item> ]]]]><![CDATA[>]]></description>
            <guid>https://crates.io/crates/bar/3.0.0-beta.1</guid>
            <pubDate>Fri, 21 Jun 2024 17:03:45 +0000</pubDate>
            <crates:name>bar</crates:name>
            <crates:version>3.0.0-beta.1</crates:version>
        </item>
"""
NEW_CRATE = """        <item>
            <title>New crate created: quux</title>
            <link>https://crates.io/crates/quux</link>
            <guid>https://crates.io/crates/quux</guid>
            <pubDate>Sat, 1 Jun 2024 01:30:00 +0200</pubDate>
            <crates:name>quux</crates:name>
        </item>
"""
BAR = FeedItem("bar", "3.0.0-beta.1", datetime(2024, 6, 21, 17, 3, 45, tzinfo=UTC))
QUUX = FeedItem("quux", None, datetime(2024, 5, 31, 23, 30, tzinfo=UTC))


def feed(*items: str) -> bytes:
    return (HEAD + "".join(items) + TAIL).encode()


def test_updates_and_new_crates_are_parsed() -> None:
    rejected: list[RejectedItem] = []
    assert parse_feed(feed(UPDATE, NEW_CRATE), rejected) == [BAR, QUUX]
    assert parse_feed(feed(), rejected) == []
    assert rejected == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<crates:name>bar</crates:name>", "", "0 of crates:name"),
        ("<crates:name>bar<", "<crates:name>foo</crates:name><crates:name>bar<", "2 of crates:name"),
        ("<crates:name>bar<", "<crates:name>../bar<", "crates:name is '../bar'"),
        ("<crates:name>bar<", f"<crates:name>{'b' * 100_000}<", "crates:name is 'bbb"),
        ("<crates:version>3.0.0", "<crates:version>v3", "crates:version is 'v3-beta.1'"),
        ("<pubDate>Fri, 21 Jun 2024 17:03:45 +0000</pubDate>", "", "0 of pubDate"),
        ("17:03:45", "25:03:45", "pubDate is"),
        ("Fri, 21 Jun 2024 17:03:45 +0000", "2024-06-21T17:03:45Z", "pubDate is"),
        ("21 Jun 2024 17:03:45 +0000", "01 Jan 0001 00:00:00 +1200", "pubDate is"),
    ],
)
def test_invalid_item_is_rejected_and_the_others_are_used(old: str, new: str, reason: str) -> None:
    assert old in UPDATE
    rejected: list[RejectedItem] = []
    assert parse_feed(feed(NEW_CRATE, UPDATE.replace(old, new), UPDATE), rejected) == [QUUX, BAR]
    assert [r.item for r in rejected] == [2]
    assert reason in rejected[0].reason
    assert len(rejected[0].reason) < 200


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
FILE = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
INVALID_FEEDS = {
    "empty": (b"", "not XML"),
    "truncated": (feed(UPDATE)[:-30], "not XML"),
    "a web page": (b"<!doctype html><title>Sign in</title>", "not XML|DOCTYPE"),
    "a web page in XML": (b"<!DOCTYPE html><html/>", "DOCTYPE"),
    "another root element": (b"<feed xmlns='http://www.w3.org/2005/Atom'/>", "expected <rss>"),
    "entities": (feed(UPDATE).replace(b"<rss", BOMB.encode() + b"<rss", 1), "DOCTYPE"),
    "a local file as entity": (feed(UPDATE).replace(b"<rss", FILE.encode() + b"<rss", 1), "DOCTYPE"),
    "an unknown entity": (feed(UPDATE.replace("beta", "&beta;")), "not XML"),
    "entities in UTF-16": (f"{BOMB}<rss/>".encode("utf-16"), "DOCTYPE"),
    "Latin-1": (feed(UPDATE.replace("&", "\xe9")).decode().encode("latin-1"), "not XML"),
    "too deep": (feed("<a>" * 100 + "</a>" * 100), "levels"),
    "too many items": (feed("<item/>" * (MAX_ITEMS + 2)), "items"),
    "too long": (feed(UPDATE, " " * MAX_BYTES), "expected at most"),
}


@pytest.mark.parametrize("what", INVALID_FEEDS)
def test_invalid_feed_is_rejected(what: str) -> None:
    body, reason = INVALID_FEEDS[what]
    with pytest.raises(BadInput, match=reason):
        parse_feed(body, [])


def test_field_in_many_pieces_takes_linear_time() -> None:
    """Expat delivers each line feed separately: joining them one by one would take minutes."""
    rejected: list[RejectedItem] = []
    assert parse_feed(feed(UPDATE.replace(">bar<", ">" + "a\n" * 1_500_000 + "<")), rejected) == []
    assert len(rejected) == 1


@settings(max_examples=times(300), deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 6))
def test_corrupt_feed_gives_items_or_bad_input(seed: int, changes: int) -> None:
    random = Random(seed)
    body = bytearray(feed(UPDATE, NEW_CRATE))
    for _ in range(changes):
        at = random.randrange(len(body))
        body[at : at + random.randrange(3)] = random.choice([bytes([random.randrange(256)]), b"<", b">", b"&", b"/"])
    rejected: list[RejectedItem] = []
    try:
        items = parse_feed(bytes(body), rejected)
    except BadInput:
        return
    assert len(items) + len(rejected) <= 2
    assert all(item.published_at.tzinfo is UTC for item in items)
