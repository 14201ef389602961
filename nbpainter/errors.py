"""The errors that nbpainter raises on purpose: one sentence each."""


class NBPainterError(Exception):
    """Something outside the program is wrong, and the message says what to do.

    The command line prints the message alone and exits with code 2.
    """


class DataError(NBPainterError, ValueError):
    """A file cannot be used: a photograph, episodes, weights or a painting."""


class EngineError(NBPainterError, RuntimeError):
    """The MyPaint engine is missing, or it refuses a brush."""


class TrainingError(NBPainterError, ArithmeticError):
    """A training ended in numbers that are not finite."""
