"""The benchmark with its peers, the soak, and the screenshots of the page. No service imports these."""
