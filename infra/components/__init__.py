"""The components of a deployment: groups of AWS resources that belong together."""
