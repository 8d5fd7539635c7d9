"""Presigns a form, and confirms what was posted with it."""
