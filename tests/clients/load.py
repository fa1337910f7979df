"""Many clients at once for a while, then SIGTERM under load: nothing is lost, no answer differs, memory stays flat.

load.py URL [--clients 64] [--seconds 120] [--process PID]: the key in CAMELID_API_KEY. Standard library only.
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
import urllib.parse

args = argparse.ArgumentParser()
args.add_argument("url")
args.add_argument("--clients", type=int, default=64)
args.add_argument("--seconds", type=float, default=120)
args.add_argument("--process", type=int)
args = args.parse_args()
place = urllib.parse.urlparse(args.url)
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('CAMELID_API_KEY', '')}"}
starts = ["Once upon a time", "The dog", "Lily and Tom went to the park.", "One day, a girl named Sue", "He said"]


def request(number):
    """One of a hundred requests, always the same for its number."""
    rng = random.Random(number)
    prompt = " ".join(rng.choices(starts, k=rng.choice([1, 1, 3, 9])))
    return {
        "model": "stories", "prompt": prompt, "max_tokens": rng.randint(1, 120), "temperature": rng.choice([0, 0.7, 1.2]),
        "seed": number, "logprobs": rng.choice([None, 2]), "stop": rng.choice([None, " park"]), "stream": number % 3 == 0,
    }


def ask(number):
    """The status and the text; of a stream, its pieces joined, nothing where it does not say that it is done."""
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    try:
        connection.request("POST", f"{place.path}/completions", json.dumps(request(number)), headers)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        return response.status, json.loads(body)["error"]["code"]
    if not request(number)["stream"]:
        return 200, json.loads(body)["choices"][0]["text"]
    data = [line[6:] for line in body.splitlines() if line.startswith("data: ")]
    if not data or data[-1] != "[DONE]":
        return 200, None
    return 200, "".join(json.loads(event)["choices"][0]["text"] for event in data[:-1])


def vanish(rng):
    """Begins a stream and goes away in the middle of it, or of the request."""
    body = json.dumps({**request(rng.randrange(100)), "max_tokens": 400, "stream": True})
    lines = [f"POST {place.path}/completions HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    whole = "\r\n".join(lines) + "\r\n\r\n" + body
    with socket.create_connection((place.hostname, place.port)) as stream:
        stream.sendall(whole.encode()[: rng.choice([10, len(whole) - 9, len(whole), len(whole)])])
        time.sleep(rng.random() / 50)


def memory():
    """Bytes that the process holds."""
    with open(f"/proc/{args.process}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


wanted = {number: ask(number) for number in range(100)}
assert all(status == 200 for status, _ in wanted.values()), wanted
counts = {"answers": 0, "busy": 0, "vanished": 0}
wrong, lost, lock = [], [], threading.Lock()
end = time.time() + args.seconds
sizes = []


def client(seed):
    rng = random.Random(seed)
    while time.time() < end:
        if rng.random() < 0.1:
            vanish(rng)
            with lock:
                counts["vanished"] += 1
            continue
        number = rng.randrange(100)
        try:
            found = ask(number)
        except Exception as error:  # noqa: BLE001 — whatever it was, an answer is missing
            lost.append(repr(error))
            continue
        with lock:
            counts["busy" if found[0] == 429 else "answers"] += 1
        if found[0] == 429:
            time.sleep(0.05)
        elif found != wanted[number]:
            wrong.append((number, found, wanted[number]))


threads = [threading.Thread(target=client, args=(seed,)) for seed in range(args.clients)]
begin = time.time()
for thread in threads:
    thread.start()
while args.process and any(thread.is_alive() for thread in threads):
    sizes.append(memory())
    time.sleep(min(0.5, args.seconds / 20))
for thread in threads:
    thread.join()
took = time.time() - begin
print(f"{args.clients} clients, {took:.0f} s: {counts}, lost {len(lost)}, different {len(wrong)}")
assert not lost, lost[:3]
assert not wrong, wrong[:3]
if args.process:
    half = len(sizes) // 2
    first, second = max(sizes[: half + 1]), max(sizes[half:])
    print(f"memory: {first / 1e6:.0f} MB at most in the first half, {second / 1e6:.0f} MB in the second")
    assert second <= 1.15 * first, "memory grows"
    # SIGTERM under load: what was taken is answered, what comes later is refused or not heard.
    results = []
    last = [threading.Thread(target=lambda n=number: results.append((n, attempt(n)))) for number in range(48)]

    def attempt(number):
        try:
            return ask(number)
        except (ConnectionError, http.client.HTTPException, OSError) as error:
            return type(error).__name__, None

    for thread in last[:24]:
        thread.start()
    time.sleep(0.02)
    os.kill(args.process, signal.SIGTERM)
    for thread in last[24:]:
        thread.start()
    for thread in last:
        thread.join()
    answered = [(number, found) for number, found in results if found[0] == 200]
    refused = [found for _, found in results if found[0] != 200]
    print(f"SIGTERM: {len(answered)} answered, {len(refused)} refused")
    assert answered and all(found == wanted[number] for number, found in answered), answered
    assert all(found[0] in (503, "ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected") for found in refused), refused
