"""The yardstick: runs the contract suite against gateways, and writes docs/gateways.md."""
