"""Logs users in, issues access tokens (JWT) that KMS signs, and publishes the keys to verify them."""
