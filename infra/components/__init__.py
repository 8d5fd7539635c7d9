"""The parts of a deployment, each with what belongs to it and nothing else."""
