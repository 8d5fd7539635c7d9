"""The page, the data it shows, and the way to each user's picture."""
