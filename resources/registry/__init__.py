"""The interface of registry sources, the bundled registry, and the archive of snapshots."""
