"""MiniStack in place of AWS, with a thin layer over what it leaves out of S3 and this system relies on."""
