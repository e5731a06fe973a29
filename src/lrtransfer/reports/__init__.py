"""One self-contained page about a study. The only place with plotting; reads, never decides."""
