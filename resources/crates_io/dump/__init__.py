"""The daily database dump of crates.io: fetched by ranges, unpacked safely, read as registry tables."""
