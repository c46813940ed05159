"""crates.io: its dump, sparse index, feeds and download archive."""
