"""What the services run on: in AWS, and on one machine."""
