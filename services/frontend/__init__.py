"""Serves the page, the data that it shows, and redirects to the users' pictures."""
