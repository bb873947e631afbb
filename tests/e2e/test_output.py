"""What a task prints is seen while it runs, and kept when it is over."""

import json

import pytest
from websockets.sync.client import connect

pytestmark = pytest.mark.processes


def test_output_is_live_and_then_kept(site, session):
    command = "echo first line; sleep 1.5; echo second line; sleep 0.5"
    task = {"id": "A", "runner": "shell", "payload": {"command": command}}
    public_id = site.submit({"name": "talks", "tasks": [task]})
    url = f"ws://localhost:{site.port}/ws/executions/{public_id}/"
    headers = {"Cookie": f"sessionid={session}", "Origin": site.address}
    heard, over = "", False
    with connect(url, additional_headers=headers, max_size=None) as live:
        watched = False
        while not over:
            frame = json.loads(live.recv(timeout=30))
            if frame["type"] == "output":
                assert not over
                heard += frame["text"]
            over = frame.get("execution", {}).get("state") == "completed"
            if not watched and '"running"' in json.dumps(frame):
                live.send(json.dumps({"type": "watch_output", "task": "A"}))
                watched = True
    assert "first line" in heard
    assert "second line" in heard
    path = f"/api/v1/executions/{public_id}/task-runs/A/output/"
    kept = site.call("GET", path)
    assert kept["text"] == "first line\nsecond line\n"
    rest = site.call("GET", f"{path}?after={len('first line') + 1}")
    assert rest["text"] == "second line\n"
