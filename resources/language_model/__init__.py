"""A language model in worker processes, the journal of its replies, and text embeddings."""
