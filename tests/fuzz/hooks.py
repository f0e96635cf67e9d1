"""What the fuzzer is told beyond the API's description: the names of things that exist, and the rules that a
description can only put in words. Without it most of what is sent would be refused at the door.

scripts/fuzz says in SCRIP_FUZZ what is there (a file that tests/fuzz/furnish.mjs wrote), and in SCRIP_FUZZ_ANSWERS
where to note how often each call was answered how.
"""

import atexit
import json
import os
from collections import Counter

import schemathesis
from schemathesis.core.parameters import ParameterLocation

with open(os.environ["SCRIP_FUZZ"]) as file:
    THERE = json.load(file)

# What is sent as the description says, and refused all the same: for what happened before, or for the time that it is.
# No description can say that. `invalid`, `malformed` and their like are not among them.
REFUSALS = {
    "balance_too_large",
    "expires_too_early",
    "key_reused",
    "no_trial",
    "nothing_to_pay",
    "refund_too_large",
    "time_out_of_range",
    "unknown_cursor",
}


@schemathesis.hook
def before_load_schema(context, document):
    for path in document["paths"].values():
        for call in path.values():
            for parameter in call.get("parameters", []):
                teach(parameter["name"], parameter["schema"])
    # Answers are held against what the description says of them, as it is.
    schemas = document["components"]["schemas"]
    for name in schemas:
        if name.startswith("New") or name == "BatchSpend":
            for field, about in schemas[name].get("properties", {}).items():
                teach(field, about)
    # One of a batch is refused for itself, within an answer of 200.
    for name in ["NewQuote", "NewSpend", "NewHold"]:
        schemas[name] = action_or_amount(schemas[name])
    schemas["NewSubscription"] = trial_or_dates(schemas["NewSubscription"])
    schemas["NewCheckoutSession"] = pack_or_plan(schemas["NewCheckoutSession"])


def teach(name, schema):
    """Says more of one value than the description does."""
    if name == "account":
        schema["enum"] = THERE["accounts"]
    if name == "spend":
        schema["enum"] = THERE["spends"]
    if name in ("return_url", "success_url", "cancel_url"):
        schema["enum"] = ["http://localhost:8080/account", "http://127.0.0.1/?a=b#c"]
    if name in ("plan", "pack", "purchase"):
        schema["enum"] = THERE[name + "s"]
    if name == "action":
        # As the description has it, but mostly one that is there.
        schema["anyOf"] = [{"enum": THERE["actions"]}, {"pattern": "^[a-z]"}, {"type": "null"}]


def action_or_amount(schema):
    """An action or an amount, not both; and of the actions that are there none takes units."""
    fields, nothing = schema["properties"], {"type": "null"}
    action = {"type": "string", "enum": THERE["actions"]}
    amount = {**fields["amount"], "type": "integer"}

    def with_(name, about, without):
        properties = {**fields, **dict.fromkeys(without, nothing), name: about}
        return {**schema, "properties": properties, "required": [*schema["required"], name]}

    return {"oneOf": [with_("action", action, ["amount", "units"]), with_("amount", amount, ["action", "units"])]}


def trial_or_dates(schema):
    """A trial has dates of its own."""
    fields, nothing = schema["properties"], {"type": "null"}

    def with_(is_trial, without):
        properties = {**fields, **dict.fromkeys(without, nothing), "trial": {"const": is_trial}}
        return {**schema, "properties": properties, "required": [*schema["required"], *(["trial"] if is_trial else [])]}

    return {"oneOf": [with_(True, ["anchor", "paid_until"]), with_(False, [])]}


def pack_or_plan(schema):
    """A pack or a plan, not both."""
    fields, nothing = schema["properties"], {"type": "null"}

    def with_(name, without):
        properties = {**fields, without: nothing, name: {"enum": THERE[name + "s"]}}
        return {**schema, "properties": properties, "required": [*schema["required"], name]}

    return {"oneOf": [with_("pack", "plan"), with_("plan", "pack")]}


def whole(sent):
    """JSON Schema counts 5.0 as an integer, the server does not: who sends it has computed with fractions."""
    if isinstance(sent, dict):
        return {name: value if name == "metadata" else whole(value) for name, value in sent.items()}
    if isinstance(sent, list):
        return [whole(value) for value in sent]
    return int(sent) if isinstance(sent, float) and sent.is_integer() else sent


calls = 0
open_holds = []


@schemathesis.hook
def before_call(context, case, kwargs):
    global calls
    calls += 1
    if case.meta is None:
        return
    # Of the holds that the fuzzer knows, most are closed. Every other time it is sent to one that is open.
    if calls % 2 and open_holds and "{hold}" in case.operation.path:
        if not case.meta.is_negative_at(ParameterLocation.PATH):
            case.path_parameters["hold"] = open_holds.pop()
    # Most commands get a key of their own. Drawn ones repeat, and what comes again under its key goes no further.
    key = "Idempotency-Key"
    if calls % 5 and key in (case.headers or {}) and not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers[key] = f"fuzz-{calls}"
    if isinstance(case.body, (dict, list)) and not case.meta.is_negative_at(ParameterLocation.BODY):
        case.body = whole(case.body)


def code(response):
    try:
        return response.json().get("code")
    except (ValueError, AttributeError):
        return None


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    # An account that was just made is there; a subscription of it need not be.
    is_of_no_plan = kind == "EnsureResourceAvailability" and code(response) == "not_subscribed"
    return not (is_of_no_plan or (kind == "RejectedPositiveData" and code(response) in REFUSALS))


answers = Counter()


@schemathesis.hook
def after_call(context, case, response):
    mode = case.meta.generation.mode.value if case.meta else "?"
    answers[case.operation.label, mode, response.status_code, code(response)] += 1
    if case.operation.label == "POST /api/v1/holds" and response.status_code == 201:
        open_holds.append(response.json()["id"])


@atexit.register
def tell():
    with open(os.environ["SCRIP_FUZZ_ANSWERS"], "w") as file:
        json.dump([{"call": call, "mode": mode, "status": status, "code": code, "times": times}
                   for (call, mode, status, code), times in answers.items()], file)
