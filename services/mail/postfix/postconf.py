"""What Postfix says of its own settings, by postconf(1)."""

from collections.abc import Sequence

from services.errors import ServerDown
from services.language import tr
from services.mail.postfix.asked import Setup, read
from services.mail.postfix.commands import Runner
from services.mail.postfix.programs import Programs


class Postconf:
    """Asks the Postfix of one mail server."""

    def __init__(self, server: str, runner: Runner, programs: Programs) -> None:
        self._server = server
        self._runner = runner
        self._programs = programs

    async def setup(self, *, resolved: bool = True) -> Setup:
        """Return what each service asks; parameters within values are put in if ``resolved``.

        Raises ServerDown.
        """
        return read(
            await self.told(self._programs.settings_set(resolved=resolved)),
            await self.told(self._programs.services()),
            await self.told(self._programs.services_set(resolved=resolved)),
        )

    async def told(self, command: Sequence[str]) -> str:
        """Return what one of the commands of postconf prints. Raises ServerDown."""
        end = await self._runner.run(command)
        if end.code != 0:
            raise ServerDown(
                tr(
                    "postconf failed on the mail server {server}: {why}. Nothing was changed; "
                    "check that Postfix is installed there.",
                    server=self._server,
                    why=end.complaint,
                )
            )
        return end.out.decode("utf-8", "replace")
