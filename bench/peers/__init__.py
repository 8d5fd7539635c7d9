"""Servers that the benchmark compares the services with. Each is a process of its own."""
