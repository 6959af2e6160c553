"""From what is asked for to what the policy is asked. Pure but for the reading of a command; nothing is made or run."""

from dataclasses import dataclass, field, replace
from typing import Final

from policy.command import Reading
from policy.path import area as path_area
from policy.path import normalise
from policy.path import uses as path_uses
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile, UseHost, UseSession
from server.asks import AnyAsk, Caller, FileAsk, RunAsk, SessionAsk, Target
from server.judge.host_patterns import split
from server.judge.remembered import Remembered
from server.parts import Reader
from server.sandbox.sandbox import Found, SandboxSpec
from server.sandbox.sessions import Sessions

REMEMBERED: Final = 128  # readings
REMEMBERED_CHARACTERS: Final = 8_192  # of a command whose reading is remembered

type Read = tuple[Reading, tuple[PathUse, ...]]


@dataclass(frozen=True, slots=True)
class Questions:
    """`sessions` say what a session is made of, or would be: where it starts, its home, its workspaces."""

    reader: Reader
    sessions: Sessions
    _remembered: Remembered[tuple[object, ...], Read] = field(default_factory=lambda: Remembered(REMEMBERED))

    async def of_command(self, caller: Caller, ask: RunAsk) -> Question:
        """Every command in it at any depth, and the act exactly as it would run."""
        spec = self._spec(caller, ask.target)
        cwd = normalise(ask.cwd or spec.start_dir, spec.start_dir, spec.home)
        reading, paths = await self._read(caller, ask, cwd, spec)
        question = self._question(caller, ask, RunCommand(ask.argv, cwd, ask.stdin, ask.timeout_s, ask.background))
        return replace(question, reading=reading, paths=paths)

    def of_file(self, caller: Caller, ask: FileAsk[object]) -> Question:
        """The path as it is named; `as_found` is about what that turns out to be."""
        spec = self._spec(caller, ask.target)
        path = normalise(ask.path, spec.start_dir, spec.home)
        use = PathUse(ask.path, path, ask.op, path_area(path, spec.home, spec.workspaces))
        uses = (use, replace(use, op="read")) if ask.reads_too else (use,)
        return replace(self._question(caller, ask, UseFile(ask.op, path)), paths=uses)

    def as_found(self, question: Question, found: Found, spec: SandboxSpec) -> Question:
        """The same question about the path that the handle really is."""
        area = path_area(found.real, spec.home, spec.workspaces)
        uses = tuple(replace(use, resolved=found.real, area=area) for use in question.paths)
        return replace(question, act=UseFile(question.paths[0].op, found.real), paths=uses)

    def of_session(self, caller: Caller, ask: SessionAsk[object]) -> Question:
        return self._question(caller, ask, UseSession(ask.tool, ask.arguments))

    def of_host(self, caller: Caller, target: Target, host: str) -> Question:
        """Raises BadHost for what is none."""
        facts = self._facts(caller, target)
        return Question(CallerFacts(caller.id, caller.roles), "network", facts, UseHost(*split(host)), {"host": host})

    async def _read(self, caller: Caller, ask: RunAsk, cwd: str, spec: SandboxSpec) -> Read:
        """What a caller ran before is known: a text and where it starts say all of it. What could not be read is read anew,
        for a parser may have been short of something. How long it takes tells nobody what another caller ran."""
        key = (caller.id, ask.argv, ask.script, cwd, spec.home, spec.workspaces)
        if (known := self._remembered.get(key)) is not None:
            return known
        if ask.script is None:
            reading = await self.reader.read_argv(ask.argv, cwd, spec.home, spec.workspaces)
        else:
            reading = await self.reader.read_script(ask.script, cwd, spec.home, spec.workspaces)
        found = (reading, path_uses(reading, spec.home, spec.workspaces))
        if reading.script.parse_error is None and sum(map(len, ask.argv)) <= REMEMBERED_CHARACTERS:
            self._remembered.put(key, found)
        return found

    def _question(self, caller: Caller, ask: AnyAsk, act: RunCommand | UseFile | UseSession) -> Question:
        facts = self._facts(caller, ask.target)
        return Question(CallerFacts(caller.id, caller.roles), ask.tool, facts, act, ask.arguments)

    def _facts(self, caller: Caller, target: Target) -> SessionFacts:
        spec = self._spec(caller, target)
        return SessionFacts(target.session, spec.environment, spec.home, spec.workspaces)

    def _spec(self, caller: Caller, target: Target) -> SandboxSpec:
        return self.sessions.spec_of(caller.id, target.session, target.environment, caller.roles)
