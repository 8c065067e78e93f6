"""Makes requests from `spec/`: valid ones with every property and value, and an invalid one for every rule."""
