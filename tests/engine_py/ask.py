#!/usr/bin/env python3
"""What docker-py's low-level client, which talks to the engine without the docker program, answers about containers.

    ask.py list|running LABEL       what it lists of the containers with this label
    ask.py inspect|changes NAME     one container
    ask.py stdout|stderr NAME       that stream of its log, as it is

Prints JSON, or the log's bytes.
"""

import json
import sys

import docker

engine = docker.APIClient(version="auto")
QUESTIONS = {
    "list": lambda label: engine.containers(all=True, filters={"label": label}),
    "running": lambda label: engine.containers(filters={"label": label}),
    "inspect": lambda name: engine.inspect_container(name),
    "changes": lambda name: engine.diff(name),
    "stdout": lambda name: engine.logs(name, stdout=True, stderr=False),
    "stderr": lambda name: engine.logs(name, stdout=False, stderr=True),
}


def main():
    question, of = sys.argv[1:]
    answer = QUESTIONS[question](of)
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    else:
        json.dump(answer, sys.stdout)


main()
