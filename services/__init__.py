"""The services of Valise: ingest, classify, search, and the runtime that carries them."""
