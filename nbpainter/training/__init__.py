"""Trainings that can be resumed, and what their networks are worth."""
