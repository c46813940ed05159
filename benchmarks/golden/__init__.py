"""Hand-made labels against which an enrichment of crates is measured."""
