"""The whole system under load while calls to AWS fail and the uploads service is killed."""
