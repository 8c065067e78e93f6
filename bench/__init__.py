"""What the service costs, measured against nginx passing the same bytes in the same run: `make bench`."""
