"""worker.py - a worker in Python, with the standard library alone:
{"pools": {"py": {"command": ["python3", "/path/worker.py"], "protocol": "tasks"}}}"""
import json, os, socket, traceback

TARGETS = {"square": lambda x: x * x, "divide": lambda a, b: a / b, "join": lambda *words, sep=" ": sep.join(words)}

channel = socket.socket(fileno=int(os.environ["DROVER_TASKS_FD"]))
channel.set_inheritable(False)  # not for programs that a target starts
for line in channel.makefile("rb"):  # as bytes: only \n ends a line
    task = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": task["id"]}
    try:
        result = TARGETS[task["method"]](*task["params"]["args"], **task["params"]["kwargs"])
        text = json.dumps({**answer, "result": result}, allow_nan=False)
    except Exception as e:
        code = 1 if task["method"] in TARGETS else -32601
        data = {"type": type(e).__name__, "traceback": traceback.format_exc()}
        text = json.dumps({**answer, "error": {"code": code, "message": f"{type(e).__name__}: {e}", "data": data}})
    channel.sendall(text.encode() + b"\n")
