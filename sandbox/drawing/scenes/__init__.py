"""What can be drawn: a function for each scene takes a size in pixels, a subject and a source of everything random."""
