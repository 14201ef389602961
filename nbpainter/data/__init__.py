"""Strokes to learn from: drawn here, read from files, or fetched."""
