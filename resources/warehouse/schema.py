"""Table declarations: the Arrow schema, the contracts, the columns in the UI and the docs are made from them."""

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
    "list<struct<change: string, is_advice: bool, probability: double, worst: double>>": pa.list_(
        pa.struct(
            [
                ("change", pa.string()),
                ("is_advice", pa.bool_()),
                ("probability", pa.float64()),
                ("worst", pa.float64()),
            ]
        )
    ),
}


@dataclass(frozen=True)
class Column:
    """One column. Timestamps are UTC; `unit` is the unit of a number; `accepted` lists its valid values."""

    name: str
    type: str
    description: str
    nullable: bool = False
    unit: str | None = None
    accepted: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The description with the unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


@dataclass(frozen=True)
class Reference:
    """`column` holds values of `table`.`target`, in the same partition."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Table:
    """One table: its grain, its columns and the constraints on its rows.

    `partition` is the name of its folder level (`snapshot`, `as_of` or `version`). Rows are sorted by `key`.
    `dates` are the timestamp columns that must not be after the snapshot.
    """

    name: str
    grain: str
    partition: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    dates: tuple[str, ...] = ()
    # ids are valid within one partition only, so the catalog shows the newest: a join across two would multiply rows
    newest_only: bool = False
    # fewer rows than this share of the previous partition mean that rows were lost
    min_share_of_previous: float | None = None

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, TYPES[c.type], c.nullable, {"description": c.text}) for c in self.columns])
