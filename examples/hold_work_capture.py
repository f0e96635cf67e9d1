"""Hold, work, capture: how a host charges for work whose price is known only when it is done.

    SCRIP=http://127.0.0.1:3000 SCRIP_KEY=sk_… python3 hold_work_capture.py USER JOB CLIP…

JOB is the name that your own database gives the work; run again with the same one, it is charged once. Ends with 0:
charged; 1: nothing was charged; 2: not known yet, run it again.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

SCRIP = os.environ.get("SCRIP", "http://127.0.0.1:3000")
KEY = os.environ["SCRIP_KEY"]
RETURN_URL = "http://localhost:8080/account"  # where your users come back from Scrip's pages

TRY_SECONDS = 10  # one try; an answer takes milliseconds
PATIENCE_SECONDS = 60  # all tries of a call
HOLD_SECONDS = 600  # longer than the work and the patience together


class Unknown(Exception):
    """No answer, however often it was sent: it may have been done, or not."""


def make_thumbnails(clips):
    """Your work. It takes a while, it may fail, and how much it comes to is known at its end."""
    thumbnails = [clip for clip in clips if "blurred" not in clip]
    if not thumbnails:
        raise RuntimeError("no clip is sharp enough")
    return thumbnails


def attempt(request):
    """One try: the status (0 where there is no answer), what it says, and its Retry-After."""
    try:
        try:
            response = urllib.request.urlopen(request, timeout=TRY_SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            status, said = response.status, response.read()
            retry_after = response.headers.get("Retry-After")
    except (OSError, http.client.HTTPException):
        return 0, {}, None
    try:
        return status, json.loads(said), retry_after
    except ValueError:  # not from Scrip, but from something on the way
        return (status if status >= 400 else 0), {}, retry_after


def call(path, body, key=None):
    """Sends until there is an answer: each time the same bytes, under the same key, after growing pauses."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    request = urllib.request.Request(f"{SCRIP}/api/v1{path}", json.dumps(body).encode(), headers)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause, in_doubt = 0.25, False
    while True:
        status, answer, retry_after = attempt(request)
        # A 429 without Retry-After is a refusal: the catalog may say 429 instead of 402.
        again = status in (0, 408, 500, 502, 503, 504) or (status == 429 and retry_after)
        if not again:
            return status, answer
        in_doubt = in_doubt or status not in (408, 429)
        wait = max(pause, int(retry_after) if (retry_after or "").isdigit() else 0)
        if time.monotonic() + wait > give_up_at:
            if in_doubt:
                raise Unknown
            return status, answer
        time.sleep(wait)
        pause = min(pause * 2, 8)


def run(user, job, clips):
    status, account = call("/accounts", {"external_id": user})  # made the first time, there the next
    if status not in (200, 201):
        return refused(job, status, account)
    account = account["id"]

    # 1. Hold the most that it can come to. Without a hold, no work.
    most = {"account": account, "amount": len(clips), "expires_in": HOLD_SECONDS, "reference": job}
    status, hold = call("/holds", most, f"{job}-hold")
    if status != 201:
        if hold.get("code") == "insufficient_credits":
            print(f"Get more: {way_to_credits(account, hold)}")
        return refused(job, status, hold)

    # 2. Work.
    try:
        thumbnails = make_thumbnails(clips)
    except Exception as error:
        print(f"{job}: {error}")
        return release(job, hold["id"])

    # 3. Capture what it came to.
    came_to = {"amount": len(thumbnails)}
    status, entry = call(f"/holds/{hold['id']}/capture", came_to, f"{job}-capture")
    if entry.get("code") == "hold_closed":
        # It ran out before, so its credits are free again: charge them without it. (Nobody else captures this hold.)
        late = {"account": account, "amount": len(thumbnails), "reference": job}
        status, entry = call("/spends", late, f"{job}-spend")
    if status != 201:
        return refused(job, status, entry)
    # Only now your user gets the thumbnails.
    print(f"{job}: {len(thumbnails)} of {len(clips)} clips for {entry['price']} credits")
    return 0


def release(job, hold):
    """Sets the credits free. If that fails, the hold runs out by itself, and they are free then."""
    try:
        call(f"/holds/{hold}/release", {}, f"{job}-release")
    except Unknown:
        pass
    return 1


def way_to_credits(account, problem):
    """Your user's way into the pages of their account; for people who sign in at Scrip itself, the page as it is."""
    status, session = call(f"/accounts/{account}/portal-sessions", {"return_url": RETURN_URL})
    return session["url"] if status == 201 else problem["topup_url"]


def refused(job, status, problem):
    print(f"{job}: {problem.get('detail', 'refused')} ({status} {problem.get('code', '')})")
    return 1


if __name__ == "__main__":
    user, job, *clips = sys.argv[1:]
    try:
        sys.exit(run(user, job, clips))
    except Unknown:
        print(f"{job}: Scrip does not answer; run it again")
        sys.exit(2)
