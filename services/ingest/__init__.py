"""The ingest service: takes notes in, and says where each one stands."""
