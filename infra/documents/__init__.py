"""Policy, bucket and table documents as pure functions of names, for the Pulumi program and the local stack."""
