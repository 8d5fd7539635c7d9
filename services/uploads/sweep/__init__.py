"""Finds what a crash left behind in the bucket: deletes it, heals it, or reports it.

`python -m services.uploads.sweep [--dry-run] [--json]`
"""
