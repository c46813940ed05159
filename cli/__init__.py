"""The `crates` command: parses arguments, calls the other packages and prints."""
