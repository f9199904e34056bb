"""Conversations on disk: kept as they happen, listed, read back, written out and forgotten."""
