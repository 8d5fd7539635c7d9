"""Deletes orphans, restores live avatars that have the pending tag, and reports rows whose object is missing.

`python -m services.uploads.sweep [--dry-run] [--full] [--json]`
"""
