"""Who calls: reads the token of a request and verifies it, the same way in every service."""
