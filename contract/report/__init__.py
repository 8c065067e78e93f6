"""The report of a run: JSON for programs, one page of HTML for people, and two reports side by side."""
