"""The contract of Valise: what a note, an event, a query and an answer look like.

Everything imports from here; this package imports pydantic and the standard library only.
"""
