"""What people and programs read of a study: text, page, notebook, JSON. Reads, never decides."""
