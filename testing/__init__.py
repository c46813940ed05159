"""What tests and benchmarks share: small registries, dumps, servers."""
