"""MiniStack in place of AWS, with a layer that adds behaviour of S3 that this system needs and MiniStack lacks."""
