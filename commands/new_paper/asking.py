"""What is not clear is asked, at a terminal; elsewhere it is an error that names the option which settles it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stages.core.errors import StageError

_Answer = TypeVar("_Answer")
_ENDED = "the answers ended before the last question; nothing was written."


def as_it_is(answer: str) -> str:
    """The answer itself."""
    return answer


@dataclass(frozen=True)
class Asker:
    """``terminal``: whether somebody is there to answer."""

    terminal: bool

    def ask(
        self,
        what: str,
        flag: str,
        read: Callable[[str], _Answer],
        *,
        choices: Sequence[str] = (),
        default: str | None = None,
    ) -> _Answer:
        """The answer to "it is not clear ``what``", as ``read`` has it; where that is a StageError, it is asked anew.

        ``default``: what an empty answer means; without a terminal it holds only where ``flag`` is empty.
        """
        if not self.terminal:
            if default is not None and not flag:
                return read(default)
            raise StageError(f"it is not clear {what}; say it with {flag}.")
        while True:
            answer = self._answered(f"{what[0].upper()}{what[1:]}", choices, default)
            try:
                return read(answer)
            except StageError as error:
                self.say(f"{str(error)[0].upper()}{str(error)[1:]}")

    def lines(self, what: str, flag: str) -> str:
        """Lines up to an empty one."""
        if not self.terminal:
            raise StageError(f"it is not clear {what}; say it with {flag}.")
        self.say(f"{what[0].upper()}{what[1:]}: paste it here, then an empty line (or give the name of a file).")
        lines: list[str] = []
        try:
            while not lines or lines[-1].strip():
                lines.append(input())
        except EOFError:
            if not lines:
                raise StageError(_ENDED) from None
        return "\n".join(lines)

    def agrees(self, question: str) -> bool:
        """Whether the answer is yes; nobody there agrees."""
        return not self.terminal or self._answered(question, ("y", "n"), "y") == "y"

    def say(self, text: str) -> None:
        """Print a line to who answers."""
        if self.terminal:
            print(text, flush=True)

    def _answered(self, prompt: str, choices: Sequence[str], default: str | None) -> str:
        from rich.markup import escape
        from rich.prompt import Prompt

        try:
            shown = list(choices) or None
            return (
                Prompt.ask(escape(prompt), choices=shown, default=default, show_default=bool(default)) or ""
            ).strip()
        except EOFError:
            raise StageError(_ENDED) from None
