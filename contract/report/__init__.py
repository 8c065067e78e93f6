"""The report of a run: JSON, one page of HTML, and a page with two reports side by side."""
