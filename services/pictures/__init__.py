"""Picture formats: content types, magic numbers and dimensions, read without decoding a pixel."""
