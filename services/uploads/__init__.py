"""Presigns forms, confirms what was posted with them, and sweeps the bucket."""
