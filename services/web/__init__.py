"""How any service speaks HTTP: problems, server, logging, metrics, OpenAPI, rate limits and verifying callers."""
