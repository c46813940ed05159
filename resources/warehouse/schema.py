"""How a table is declared: once, for the Arrow schema, the contracts, the UI's columns and the docs."""

from dataclasses import dataclass

import pyarrow as pa

TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "uint64": pa.uint64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "list<string>": pa.list_(pa.string()),
    "list<struct<dependency: string, req: string, kind: string, optional: bool, default_features: bool, "
    "target: string, explicit_name: string>>": pa.list_(
        pa.struct(
            [
                ("dependency", pa.string()),
                ("req", pa.string()),
                ("kind", pa.string()),
                ("optional", pa.bool_()),
                ("default_features", pa.bool_()),
                ("target", pa.string()),
                ("explicit_name", pa.string()),
            ]
        )
    ),
    "list<struct<topic: string, feature: string, value: double, effect: double, words: string>>": pa.list_(
        pa.struct(
            [
                ("topic", pa.string()),
                ("feature", pa.string()),
                ("value", pa.float64()),
                ("effect", pa.float64()),
                ("words", pa.string()),
            ]
        )
    ),
    "list<struct<field: string, start: int64, end: int64, text: string>>": pa.list_(
        pa.struct([("field", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())])
    ),
    "list<struct<change: string, probability: double, worst: double>>": pa.list_(
        pa.struct([("change", pa.string()), ("probability", pa.float64()), ("worst", pa.float64())])
    ),
}


@dataclass(frozen=True)
class Column:
    """One column. Timestamps are UTC; `unit` is the unit of a number; `accepted` lists the values it may have."""

    name: str
    type: str
    description: str
    nullable: bool = False
    unit: str | None = None
    accepted: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The description with its unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


@dataclass(frozen=True)
class Reference:
    """`column` holds values of `table`.`target`, in the same partition."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Table:
    """One table: its grain in words, its columns, and what must always hold of its rows.

    `partition` names the folder level (`snapshot`, `as_of` or `version`); rows are kept in the order of `key`.
    `dates` are the timestamp columns that may not lie after the snapshot.
    """

    name: str
    grain: str
    partition: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    dates: tuple[str, ...] = ()
    # ids hold within one partition only, so SQL users see the newest: joins across two would multiply
    newest_only: bool = False
    # a smaller share of the rows of the partition before means that something was lost on the way
    least_share_of_previous: float | None = None

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, TYPES[c.type], c.nullable, {"description": c.text}) for c in self.columns])
