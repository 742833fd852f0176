"""Plumbing that knows no theme and no country: settings, log, registry, workers, health."""
