"""What is asked: the settings of a study. Loads no torch."""
