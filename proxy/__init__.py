"""The running service: routes, the upstream client, the store of pictures."""
