"""Servers of OpenAI's API beside one another: tokens a second of one client and of eight, and the first token of a second turn.

serving_speed.py NAME=URL=MODEL … [--rounds 3] [--prompt-words 64] [--new 64]

Servers take turns within a round; medians are printed. For the table in docs/serving.md, both on the same file and as many threads:

    camelid serve --model FILE.gguf --port 8001 --threads 2 --context 2048
    python -m llama_cpp.server --model FILE.gguf --port 8002 --n_threads 2 --n_threads_batch 2 --n_ctx 2048
    serving_speed.py camelid=http://127.0.0.1:8001/v1=NAME llama.cpp=http://127.0.0.1:8002/v1=FILE.gguf

llama-server is begun as `llama-server -m FILE.gguf --port 8002 -t 2 -c 16384 -np 8`. Standard library only.
"""

import argparse
import http.client
import json
import random
import statistics
import threading
import time
import urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("servers", nargs="+")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--prompt-words", type=int, default=64)
parser.add_argument("--new", type=int, default=64)
parser.add_argument("--clients", type=int, default=8)
args = parser.parse_args()
WORDS = "time day way year world life hand part child eye woman place work week case point home water room story".split()


def words(count, seed):
    rng = random.Random(seed)
    return " ".join(rng.choices(WORDS, k=count))


def ask(server, prompt, new):
    """The seconds, the tokens generated and the text of a greedy completion."""
    _, url, model = server
    place = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=900)
    body = {"model": model, "prompt": prompt, "max_tokens": new, "temperature": 0}
    begin = time.perf_counter()
    connection.request("POST", f"{place.path}/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    took = time.perf_counter() - begin
    assert response.status == 200, answer
    return took, answer["usage"]["completion_tokens"], answer["choices"][0]["text"]


def counting(count, seed):
    """Numbers in order from a place of their own: a text that no model ends, so that all clients go on as long."""
    start = random.Random(seed).randrange(100, 900)
    return ", ".join(str(start + number) for number in range(count // 2)) + ","


def rate(server, clients, seed):
    """Tokens a second of all clients together, prompts and all."""
    counts = []
    threads = [
        threading.Thread(target=lambda i=i: counts.append(ask(server, counting(args.prompt_words, f"{seed}-{i}"), args.new)[1]))
        for i in range(clients)
    ]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [args.new] * clients, f"a text ended early: {counts}"
    return sum(counts) / (time.perf_counter() - begin)


def second_turn(server, seed):
    """Seconds to the first token of a second turn: after the first one, and of as long a prompt that nobody knows."""
    first = words(400, f"{seed}-first")
    said = ask(server, first, 24)[2]
    more = words(16, f"{seed}-more")
    known = ask(server, f"{first}{said} {more}", 1)[0]
    unknown = ask(server, f"{words(400, f'{seed}-other')}{said} {more}", 1)[0]
    return known, unknown


servers = [tuple(server.split("=", 2)) for server in args.servers]
found = {}
for server in servers:
    ask(server, words(args.prompt_words, "warm"), 4)
for turn in range(args.rounds):
    for server in servers:
        row = found.setdefault(server[0], {"one": [], "many": [], "known": [], "unknown": []})
        row["one"].append(rate(server, 1, f"one-{turn}"))
        row["many"].append(rate(server, args.clients, f"many-{turn}"))
        known, unknown = second_turn(server, f"turn-{turn}")
        row["known"].append(known)
        row["unknown"].append(unknown)
        print(turn, server[0], {name: round(values[-1], 3) for name, values in row.items()}, flush=True)
print(f"| server | 1 client, tokens/s | {args.clients} clients, tokens/s | ratio | second turn, s | without the prefix, s | ratio |")
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
for name, row in found.items():
    one, many, known, unknown = (statistics.median(row[key]) for key in ["one", "many", "known", "unknown"])
    print(f"| {name} | {one:.1f} | {many:.1f} | {many / one:.2f} | {known:.3f} | {unknown:.3f} | {known / unknown:.2f} |")
