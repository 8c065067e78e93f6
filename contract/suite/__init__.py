"""What runs the rows: the server under test, the clients of the SDKs, a trial for each row, the progress lines."""
