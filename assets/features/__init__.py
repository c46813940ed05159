"""Tables as of a date: features, labels, culprits."""
