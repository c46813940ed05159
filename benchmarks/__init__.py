"""Measurements with limits, compared with other tools: `make bench`, `make bench-cache`, `make bench-enrichment`."""
