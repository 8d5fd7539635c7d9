"""The HTTP side of every service: problems, server, logging, metrics, OpenAPI, rate limits and callers."""
