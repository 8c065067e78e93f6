"""What is recorded of a request: the record itself, log lines, metrics, and whether the service is ready."""
