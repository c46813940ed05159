"""RustSec's advisory database: a clone, its history, and the revisions of each advisory."""
