"""What other tools write and read, at the edge of the project: nothing below imports it."""
