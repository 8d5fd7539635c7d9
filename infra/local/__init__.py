"""The whole system on one machine: emulator, resources, services and gateway as local processes."""
