"""A cell's way down and its results' way up: bind, split, run, show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scidb_magic.afl import script
from scidb_magic.errors import BindingError, MagicUsageError, QueryInterrupted, ScidbMagicError
from scidb_magic.notebook import binding, deeds, display, failure, history, plot, progress, shared
from scidb_magic.notebook.options import Options

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession
    from scidb_magic.session.uploads import Attachment


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, ready to be sent.

    Attributes
    ----------
    bound : Bound
    source : str
        As it stands in the cell.
    label : str
        How the statement is called in messages: its outer operator.
    fetched : bool
        Whether its result is brought.
    how : dict
        The arguments that `ManagedSession` takes with every statement.
    """

    bound: binding.Bound
    source: str
    label: str
    fetched: bool
    how: dict[str, Any]


def run_cell(
    cell: str, options: Options, scope: Mapping[str, Any], variables: MutableMapping[str, Any]
) -> None:
    """Run the statements of a cell one after the other and show each result.

    Parameters
    ----------
    cell : str
    options : Options
    scope : mapping
        Where the names of ``{{ }}`` are looked up.
    variables : mapping
        Where ``-o`` puts its result.
    """
    session = shared.session()
    steps = _steps(session, cell, options, scope)
    if steps and not steps[-1].fetched:
        _refuse(options, "the result of the last statement", steps[-1])
    drawn = None
    for number, step in enumerate(steps):
        with _running(session, cell, steps, number, options) as entry:
            if not step.fetched:
                _execute(session, step, options)
            elif (options.output or options.plot) and step is steps[-1]:
                drawn = _fetch(session, step, options, entry)
                if options.output:
                    variables[options.output] = drawn
            elif options.all:
                display.result(_fetch(session, step, options, entry))
            else:
                limit = options.limit or session.settings.display_limit
                display.result(*_preview(session, step, limit, options, entry))
    if options.plot and drawn is not None:
        plot.draw(drawn)


def run_line(
    text: str, options: Options, scope: Mapping[str, Any], variables: MutableMapping[str, Any]
) -> Any:
    """Run one statement; the answer is its whole result, or None if it has none, goes to ``-o``, or is drawn.

    With ``--limit`` the answer is a part of the result, and a note says so. Parameters as `run_cell`.
    """
    session = shared.session()
    steps = _steps(session, text, options, scope)
    if len(steps) != 1:
        raise MagicUsageError("%scidb takes one AFL statement; a %%scidb cell takes several.")
    step = steps[0]
    if not step.fetched:
        _refuse(options, "a result", step)
    with _running(session, text, steps, 0, options) as entry:
        if not step.fetched:
            return _execute(session, step, options)
        if options.limit:
            data, complete = _preview(session, step, options.limit, options, entry)
            if not complete:
                display.note(display.footer(data, complete))
            return data
        result = _fetch(session, step, options, entry)
    if options.output is not None:
        variables[options.output] = result
    if options.plot:
        plot.draw(result)
    return None if options.output or options.plot else result


def _refuse(options: Options, what: str, step: Step) -> None:
    """Refuse an option that takes a result, for a step that has none."""
    taker = "-o takes" if options.output else "--plot draws" if options.plot else None
    if taker:
        raise MagicUsageError(f"{taker} {what}, and {step.label} has none.")


@contextmanager
def _running(
    session: ManagedSession, cell: str, steps: Sequence[Step], number: int, options: Options
) -> Iterator[history.Entry]:
    """Statement `number` runs: an error is shown with its place in the cell, and with what ran before it."""
    label = f"statement {number + 1} of {len(steps)}" if len(steps) > 1 else progress.RUNNING
    after = session.settings.progress_after if options.progress_after is None else options.progress_after
    try:
        with (
            progress.task(label, after, session.cancel),
            history.statements.statement(steps[number].source) as entry,
        ):
            yield entry
    except (ScidbMagicError, QueryInterrupted) as error:
        where = failure.place(error, cell, steps[number].bound)
        before = failure.progress([step.label for step in steps[:number]], len(steps))
        failure.shorten(error, [*where, *before])
        raise


def _steps(session: ManagedSession, cell: str, options: Options, scope: Mapping[str, Any]) -> list[Step]:
    sent: dict[str, Attachment] = {}

    def attach(data: Any) -> str:
        attached = session.attach(data)
        sent[attached.text] = attached
        return attached.text

    try:
        statements = binding.bind(cell, scope, attach)
    except BindingError as error:
        failure.shorten(error, failure.excerpt(cell, error.position, error.length))
        raise
    return [_step(bound, cell, sent, options) for bound in statements]


def _step(bound: binding.Bound, cell: str, sent: Mapping[str, Attachment], options: Options) -> Step:
    bare = script.split(bound.text)[0].bare
    how = {
        "retry": options.retry,
        "namespace": options.namespace,
        "attachments": [sent[filling.text] for filling in bound.fillings if filling.text in sent],
    }
    label = script.outer_operator(bare) or " ".join(bare.split()[:2])
    start, length = bound.origin(len(bound.text) - 1)
    source = cell[bound.start : start + length]
    return Step(bound, source, label, script.has_result(bare) and not options.no_fetch, how)


def _execute(session: ManagedSession, step: Step, options: Options) -> None:
    session.execute(step.bound.text, **step.how)
    if options.quiet:
        return
    bare = script.split(step.bound.text)[0].bare
    told = f"done: {step.label}" if options.no_fetch else deeds.sentence(bare, step.label)
    array = deeds.versioned(bare)
    if array and options.namespace and "." not in array:
        array = f"{options.namespace}.{array}"
    number = deeds.version(session.connection, array) if array else None
    display.note(told if number is None else f"{told}, version {number}")


def _fetch(session: ManagedSession, step: Step, options: Options, entry: history.Entry) -> Any:
    data = session.fetch(step.bound.text, options.form, order=options.order, **step.how)
    entry.rows = display.rows(data)
    return data


def _preview(
    session: ManagedSession, step: Step, limit: int, options: Options, entry: history.Entry
) -> tuple[Any, bool]:
    preview = session.preview(step.bound.text, limit, options.form, **step.how)
    entry.rows = display.rows(preview.data)
    return preview.data, preview.complete
