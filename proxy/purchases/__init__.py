"""What was bought, so that it is bought once: running calls, records of them in the database, answers that are kept."""
