"""What runs the rows: the server under test, the SDKs' clients, a trial for each row, the table in the terminal."""
