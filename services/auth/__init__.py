"""Logs a demo user in, issues JWTs signed by KMS, publishes the keys to verify them."""
