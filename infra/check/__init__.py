"""`uv run check-deployment URL`: checks a deployment from the outside, as a browser and an attacker see it."""
