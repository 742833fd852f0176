"""The search service: notes found by their words, read with their evidence, followed in feeds."""
