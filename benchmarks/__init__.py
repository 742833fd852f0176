"""Benchmarks: one module per row of docs/benchmarks.md, each ours against its peer."""
