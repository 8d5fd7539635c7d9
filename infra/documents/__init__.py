"""Policy, bucket and table documents as pure functions of names, for the cloud and the local stack alike."""
