"""The columns that sources deliver, before the rows are loaded into registry tables."""

import pyarrow as pa

COLUMNS = {
    "versions": {
        "name": pa.string(),
        "num": pa.string(),
        "position": pa.int32(),
        "published_at": pa.timestamp("us"),
        "published_after": pa.timestamp("us"),
        "published_at_exact": pa.bool_(),
        "feature_names": pa.list_(pa.string()),
        "links": pa.string(),
    },
    "yanks": {
        "name": pa.string(),
        "num": pa.string(),
        "yanked_at": pa.timestamp("us"),
        "yanked_at_exact": pa.bool_(),
        "unyanked_at": pa.timestamp("us"),
    },
    "dependencies": {
        "name": pa.string(),
        "num": pa.string(),
        "dependency": pa.string(),
        "req": pa.string(),
        "kind": pa.string(),
        "optional": pa.bool_(),
        "default_features": pa.bool_(),
        "target": pa.string(),
        "explicit_name": pa.string(),
    },
    "advisories": {
        "id": pa.string(),
        "package": pa.string(),
        "date": pa.date32(),
        "known_at": pa.timestamp("us"),
        "informational": pa.string(),
        "cvss": pa.string(),
        "categories": pa.list_(pa.string()),
        "aliases": pa.list_(pa.string()),
        "patched": pa.list_(pa.string()),
        "unaffected": pa.list_(pa.string()),
        "withdrawn": pa.date32(),
    },
}
