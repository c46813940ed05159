"""Cargo's rules for versions and requirements, as SQL macros."""
