"""The command `endurance`: a steady load for an hour, and what each process uses during it."""
