"""Defaults that Python and the command line share; cheap to import."""

from pathlib import Path

STUDY_FOLDER = Path("lrtransfer-out")
