"""The three services, and beside them the few modules that all of them stand on."""
