"""Settings from the environment, and the limits that several programs share."""
