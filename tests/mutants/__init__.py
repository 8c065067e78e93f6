"""Is the suite worth its name? Small faults are put into the converters, and rows must turn red."""
