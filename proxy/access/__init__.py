"""A team behind the operator's keys (ACCESS=keys): keys of ours, what they may spend, and the keys of the upstream."""
