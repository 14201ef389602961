"""Strokes over strokes: paintings, and how they are found."""
