"""`lrtransfer schema`: the JSON schema of study files."""

from dataclasses import dataclass

from .command import Command, print_json
from .options import Json


@dataclass(frozen=True)
class SchemaCommand(Command):
    """Print the JSON schema of study files, for editors that complete and check them.

    Name it in the first line of a study file: #:schema study.schema.json

    Example: lrtransfer schema > study.schema.json
    """

    json: Json = False

    def run(self) -> int:
        """Print the schema."""
        from ..study.schema import make_study_schema

        print_json(make_study_schema())
        return 0
