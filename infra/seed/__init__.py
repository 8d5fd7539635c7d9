"""The demo's users and their portraits."""
