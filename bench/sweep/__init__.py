"""The command `measure-sweep`: the calls, processor time and memory of a sweep of many objects."""
