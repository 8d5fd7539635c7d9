"""The seeded users and their portraits."""
