"""The same call twice: one effect, one answer."""

import secrets

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from registers import KEY, TEXT, change, count, entry

from triage import taxonomy
from triage.errors import BusyError, InputError
from triage.register import audit, book, entries, idempotency, listing
from triage.register.idempotency import Answered, Claim
from triage.register.verdicts import Correction, correct


def enter(register, claim, text=TEXT):
    return entries.enter(register, [entry(text)], "intake", claim=claim, answer=lambda entered: f'{{"id": "{entered[0].id}"}}')


@pytest.mark.parametrize("keys", ["", KEY])
def test_the_same_call_gets_the_stored_answer(opened, keys):
    register = opened(keys)
    made = enter(register, idempotency.claim(register, "intake /v1/letters", "k1", "digest"))
    assert idempotency.claim(register, "intake /v1/letters", "k1", "digest") == Answered(f'{{"id": "{made[0].id}"}}')
    assert count(register, "letters") == 1


def test_a_call_that_still_runs_is_told_so(register):
    idempotency.claim(register, "intake", "k1", "digest")
    with pytest.raises(BusyError) as refused:
        idempotency.claim(register, "intake", "k1", "digest")
    assert (refused.value.status, refused.value.kind) == (409, "idempotency-running")


def test_another_body_under_the_same_key_is_refused(register):
    claim = idempotency.claim(register, "intake", "k1", "digest")
    for _ in range(2):  # while it runs, and once it is done
        with pytest.raises(InputError) as refused:
            idempotency.claim(register, "intake", "k1", "another")
        assert (refused.value.status, refused.value.kind) == (422, "idempotency-key-reused")
        if claim:
            claim = enter(register, claim) and None


def test_another_caller_or_another_call_has_keys_of_its_own(register):
    idempotency.claim(register, "intake", "k1", "digest")
    assert isinstance(idempotency.claim(register, "staff", "k1", "another"), Claim)


def test_a_call_whose_process_was_killed_is_taken_over_and_the_killed_one_can_store_nothing(register):
    first = idempotency.claim(register, "intake", "k1", "digest")
    second = idempotency.claim(register, "intake", "k1", "digest", lease=0.0)
    assert isinstance(second, Claim)
    with pytest.raises(BusyError):
        enter(register, first)
    assert count(register, "letters") == 0
    enter(register, second)
    assert count(register, "letters") == 1


def test_a_call_that_failed_gives_its_key_back(register):
    idempotency.release(register, idempotency.claim(register, "intake", "k1", "digest"))
    assert isinstance(idempotency.claim(register, "intake", "k1", "another"), Claim)


def test_a_finished_call_cannot_be_released(register):
    claim = idempotency.claim(register, "intake", "k1", "digest")
    enter(register, claim)
    idempotency.release(register, claim)
    assert isinstance(idempotency.claim(register, "intake", "k1", "digest"), Answered)


def test_answers_are_forgotten_after_a_day(register):
    enter(register, idempotency.claim(register, "intake", "k1", "digest"))
    change(register, "UPDATE idempotency SET expires_at = '2020-01-01'")
    assert isinstance(idempotency.claim(register, "intake", "k1", "another"), Claim)


def test_a_correction_can_be_repeated_too(register, taxonomy):
    letter = enter(register, None)[0].id
    claim = idempotency.claim(register, "staff", "k1", "digest")
    correct(register, letter, Correction("王科员", category="wages"), taxonomy, once=(claim, "done"))
    assert idempotency.claim(register, "staff", "k1", "digest") == Answered("done")


def test_answers_do_not_stand_in_plain_text_when_letters_do_not(opened):
    register = opened(KEY)
    claim = idempotency.claim(register, "intake", "k1", "digest")
    entries.enter(register, [entry()], "intake", claim=claim, answer=lambda _: TEXT)
    with register.reading() as connection:
        assert "工资" not in connection.exec_driver_sql("SELECT answer FROM idempotency").scalar_one()


class Office(RuleBasedStateMachine):
    """Calls in any order, some repeated, some killed between claim and work, some corrected: the register agrees with a plain list."""

    @initialize()
    def open(self):
        self.home = self.folder / secrets.token_hex(4)
        self.register, self.taxonomy = book.open_register(self.home), taxonomy.shipped()
        self.answers, self.claims, self.said = {}, {}, {}

    @rule(key=st.sampled_from("abcde"))
    def call(self, key):
        try:
            claim = idempotency.claim(self.register, "intake", key, key)
        except BusyError:
            assert key in self.claims
            return
        if isinstance(claim, Answered):
            assert claim.answer == self.answers[key]
        else:
            assert key not in self.answers
            self.claims[key] = claim

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def finish(self, data):
        key = data.draw(st.sampled_from(sorted(self.claims)))
        made = entries.enter(self.register, [entry(f"{TEXT}{key}", key)], "intake", claim=self.claims.pop(key), answer=lambda entered: entered[0].id)
        self.answers[key] = made[0].id
        self.said[made[0].id] = ["wages"]

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def killed(self, data):
        key = data.draw(st.sampled_from(sorted(self.claims)))
        del self.claims[key]
        self.claims[key] = idempotency.claim(self.register, "intake", key, key, lease=0.0)

    @precondition(lambda self: self.said)
    @rule(data=st.data(), code=st.sampled_from(["wages", "utilities", "land_expropriation"]))
    def corrected(self, data, code):
        letter = data.draw(st.sampled_from(sorted(self.said)))
        correct(self.register, letter, Correction("王科员", category=code), self.taxonomy)
        self.said[letter].append(code)

    @invariant()
    def everything_is_there_once(self):
        if not hasattr(self, "register"):
            return
        assert count(self.register, "letters") == len(self.answers)
        for letter, said in self.said.items():
            found = listing.find(self.register, letter)
            assert [found.decisions[0]["decision"]["category"]["code"], *(correction["category"] for correction in found.corrections)] == said
            assert found.category == said[-1]

    def teardown(self):
        if hasattr(self, "register"):
            with self.register.reading() as connection:
                assert audit.verify(connection).first_bad is None
            self.register.close()


def test_whatever_the_order_of_calls_nothing_is_lost_or_doubled(tmp_path):
    from hypothesis.stateful import run_state_machine_as_test

    Office.folder = tmp_path
    quick = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    run_state_machine_as_test(Office, settings=quick)
