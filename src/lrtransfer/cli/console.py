"""The console for people: no text steers the terminal, and a reader that is gone is told of."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .plain_text import escape_controls


class PlainConsole(Console):
    """A console on which control characters of what is printed show as their escapes.

    Rich's own control codes, which move the cursor and set colours, are none of the text.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render something, its text escaped."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else escape_controls(text), style, control)

    def on_broken_pipe(self) -> None:
        """Pass on that nobody reads; rich's own would end the process with code 1."""
        raise  # the BrokenPipeError that is being handled
