"""What tests share: servers that play the upstream, launchers, fixtures, callers, leak checks."""
