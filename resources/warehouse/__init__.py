"""The warehouse: table store, catalog, contracts, schemas and DuckDB sessions."""
