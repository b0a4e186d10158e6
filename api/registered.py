"""The register over HTTP: letters in, found again, corrected and given back. All of it in the register's own threads, never on the event loop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request, Response

from api import access, bodies, described, once, queries, schemas
from api import registered_schemas as shapes
from api.letters import decided, desk_of
from api.once import Answer
from triage import workdays
from triage.errors import InputError
from triage.register import entries, keys, listing, verdicts
from triage.register.entries import Entry, no_such_letter
from triage.register.verdicts import Correction, Objection

if TYPE_CHECKING:
    from api.access import Caller
    from api.opened import Door
    from triage.letter import Decision, Letter
    from triage.register.book import Register
    from triage.register.entries import Entered
    from triage.register.idempotency import Claim
    from triage.register.listing import Registered
    from triage.taxonomy import Taxonomy

router = APIRouter(prefix="/v1/letters", tags=["登记簿"])


@router.post("", status_code=201, summary="登记来信", **described.call(described.REGISTER))
async def register(request: Request) -> Response:
    """Register a letter and decide it. One that its source sent before under the same `id` is not entered again (200, `duplicate`)."""
    caller = access.caller_of(request)
    caller.check(keys.REGISTER)
    door = _door(request)
    body = await bodies.json_of(request)
    letter = schemas.letter_of(body)

    async def work(claim: Claim | None) -> Answer:
        decision = (await decided(request, [letter], list))[0]
        return await door.call(lambda: _entered(door.register(), letter, decision, caller, claim))

    return await once.answered(request, caller, body, work)


@router.get("", summary="来信列表", **described.call(described.LIST))
async def page(request: Request) -> Response:
    """Registered letters, newest first, without their words. `next` leads to the page behind; letters that come meanwhile change no page."""
    access.caller_of(request).check(keys.LIST)
    taxonomy = desk_of(request).taxonomy
    filters, limit, cursor = queries.page_of(request, taxonomy)
    door = _door(request)
    found = await door.call(lambda: listing.page(door.register(), filters, limit=limit, cursor=cursor))
    return _json({"letters": [shapes.listed(letter, taxonomy) for letter in found.letters], "next": found.next or None})


@router.get("/{id}", summary="一封来信", **described.call(described.RECORD))
async def record(request: Request) -> Response:
    """One letter with its words, decisions, corrections and returns. Intake systems read the letters that they registered."""
    caller = access.caller_of(request)
    caller.check(keys.READ)
    found = await _found(request, caller)
    return _json(shapes.recorded(found, desk_of(request).taxonomy), {"ETag": f'"{found.version}"'})


@router.post("/{id}/correction", status_code=201, summary="更正", **described.call(described.CORRECT))
async def correct(request: Request) -> Response:
    """What a person says the letter is, kept beside the decision, never over it. With `If-Match` only when nobody said anything since."""
    caller = access.caller_of(request)
    caller.check(keys.CORRECT)
    door = _door(request)
    letter, taxonomy, body = queries.id_of(request), desk_of(request).taxonomy, await bodies.json_of(request)
    said = _correction(schemas.checked(shapes.CorrectionIn, body), caller, taxonomy)
    answer = Answer(201, {"letter": letter, "review": verdicts.DONE} | shapes.labelled(said.category, said.purpose, said.department, taxonomy))
    seen = _seen(request)

    async def work(claim: Claim | None) -> Answer:
        stored = (claim, answer.stored()) if claim else None
        await door.call(lambda: verdicts.correct(door.register(), letter, said, taxonomy, once=stored, seen=seen))
        return answer

    return await once.answered(request, caller, body, work)


@router.post("/{id}/return", status_code=201, summary="退回", **described.call(described.RETURN))
async def give_back(request: Request) -> Response:
    """A department objects that a letter is not its remit; within five working days this is a label to learn from."""
    caller = access.caller_of(request)
    caller.check(keys.RETURN)
    door = _door(request)
    letter, taxonomy, body = queries.id_of(request), desk_of(request).taxonomy, await bodies.json_of(request)
    said = _objection(schemas.checked(shapes.ReturnIn, body), caller, taxonomy)

    async def work(claim: Claim | None) -> Answer:
        return await door.call(lambda: _returned(door.register(), letter, said, request, claim))

    return await once.answered(request, caller, body, work)


def _entered(book: Register, letter: Letter, decision: Decision, caller: Caller, claim: Claim | None) -> Answer:
    answers: list[Answer] = []

    def answer(entered: list[Entered]) -> str:
        answers.append(_registered(book, entered[0], decision))
        return answers[0].stored()

    who = f"{caller.name} ({caller.key})" if caller.key else caller.name
    entered = entries.enter(book, [Entry(letter, decision, caller.name)], who, claim=claim, answer=answer)
    if not answers:
        answer(entered)
    return answers[0]


def _registered(book: Register, entered: Entered, decision: Decision) -> Answer:
    """The answer to a letter that was entered; of one that had been there, with the first decision about it."""
    shown = decision.as_dict() if entered.new else listing.find(book, entered.id).decisions[0]["decision"]
    body = {"id": entered.id, "duplicate": not entered.new, "repeats": entered.repeats, "decision": shown}
    return Answer(201 if entered.new else 200, body, f"/v1/letters/{entered.id}")


def _returned(book: Register, letter: str, said: Objection, request: Request, claim: Claim | None) -> Answer:
    taxonomy, calendar = desk_of(request).taxonomy, workdays.load(request.app.state.settings.home)
    due = calendar.objection_due(said.forwarded_on)
    body = {"letter": letter, "review": verdicts.RETURNED, "objector": {"code": said.objector, "name": taxonomy.departments[said.objector].name}}
    answer = Answer(201, body | {"in_time": said.returned_on <= due, "due_on": due.isoformat()})
    verdicts.give_back(book, letter, said, taxonomy, calendar, once=(claim, answer.stored()) if claim else None)
    return answer


def _correction(given: shapes.CorrectionIn, caller: Caller, taxonomy: Taxonomy) -> Correction:
    category = queries.code_of(given.category, "category", taxonomy.categories) if given.category else ""
    purpose = queries.code_of(given.purpose, "purpose", taxonomy.purposes) if given.purpose else ""
    department = queries.department_of(given.department, "department", taxonomy) if given.department else ""
    return Correction(given.who, category, purpose, department, given.why, caller.key)


def _objection(given: shapes.ReturnIn, caller: Caller, taxonomy: Taxonomy) -> Objection:
    returned_on = given.returned_on or datetime.now(UTC).astimezone().date().isoformat()  # a day of the office
    days = queries.day_of(given.forwarded_on, "forwarded_on"), queries.day_of(returned_on, "returned_on")
    category = queries.code_of(given.category, "category", taxonomy.categories) if given.category else ""
    department = queries.department_of(given.department, "department", taxonomy) if given.department else ""
    return Objection(given.who, queries.department_of(given.objector, "objector", taxonomy), given.why, *days, category, department, caller.key)


async def _found(request: Request, caller: Caller) -> Registered:
    letter, door = queries.id_of(request), _door(request)
    found = await door.call(lambda: listing.find(door.register(), letter))
    if not caller.sees(found.source):
        raise no_such_letter()
    return found


def _seen(request: Request) -> str:
    """The version that ``If-Match`` names, empty for none or any. Raises InputError (412) for what is no version."""
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return ""
    if not (given.startswith('"') and given.endswith('"') and len(given) > 2):
        raise InputError("If-Match: no ETag of a letter. It is the one that GET gave, quotes included. Get it again.", kind="stale-letter", status=412)
    return given[1:-1]


def _door(request: Request) -> Door:
    """The way to the register. Raises RegisterError (503) when too many wait there already."""
    door: Door = request.app.state.door
    door.check_free()
    return door


def _json(content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), headers=headers, media_type="application/json")
