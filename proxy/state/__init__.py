"""The database: what is known of purchases, on every worker and every machine."""
