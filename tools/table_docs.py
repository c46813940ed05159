"""Writes docs/tables.md from the schemas: python -m tools.table_docs"""

from assets.schemas import TABLES
from resources.common.settings import PROJECT
from resources.warehouse.schema import Table


def section(table: Table) -> str:
    """One table as Markdown: its grain, partition, key and columns."""
    lines = [
        f"## {table.name}",
        "",
        table.grain,
        "",
        f"Partition: `{table.partition}`. Key: {', '.join(f'`{k}`' for k in table.key)}.",
        "",
        "| column | type | null | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| `{c.name}` | {c.type} | {'yes' if c.nullable else ''} | {c.text} |" for c in table.columns),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    head = "# Tables\n\nMade from `assets/schemas/` by `python -m tools.table_docs`. "
    head += "Times are UTC; unknown is null, never 0.\n"
    (PROJECT / "docs" / "tables.md").write_text("\n".join([head, *map(section, TABLES.values())]))


if __name__ == "__main__":
    main()
