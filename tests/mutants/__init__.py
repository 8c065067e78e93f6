"""Mutants: small faults are put into the service, and rows of the contract suite must fail."""
