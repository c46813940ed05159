"""Generators of documents and data, and the prose lint."""
