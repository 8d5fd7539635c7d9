"""The infrastructure of the services: in AWS, and on one machine."""
