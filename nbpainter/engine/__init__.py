"""The real brush: libmypaint, brushes, brush files."""
