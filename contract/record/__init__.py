"""Records what a real upstream answers, and reports how that differs from the contract fixtures."""
