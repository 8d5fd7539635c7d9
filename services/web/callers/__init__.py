"""Finds the caller of a request: reads its access token and verifies it, in the same way in every service."""
