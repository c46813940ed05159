"""Every table of the warehouse, by name."""

from assets.schemas import culprits, drift, enrichment, features, predictions, registry
from resources.warehouse.schema import Table

TABLES: dict[str, Table] = {
    value.name: value
    for module in (registry, enrichment, features, culprits, predictions, drift)
    for value in vars(module).values()
    if isinstance(value, Table)
}
