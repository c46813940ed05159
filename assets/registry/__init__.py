"""Tables of a registry snapshot, loaded from a source."""
