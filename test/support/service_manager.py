"""A service manager's part: receives sd_notify's datagrams, and starts processes with listening sockets.

service_manager.py receive ADDRESS SILENCE_SECONDS  prints "bound"; on stdin "read" begins to take datagrams, and each is a
    line of JSON; "silence" after so many seconds without one.
service_manager.py sockets SPEC COMMAND...          makes the sockets of the JSON list SPEC ([{kind, path, name}]), keeps
    them, prints "made"; on stdin "start" runs COMMAND with them; its pid and its exit code are lines of JSON.
"""
import fcntl
import json
import os
import socket
import sys
import threading


def say(word):
    print(json.dumps(word), flush=True)


def receive(address, silence):
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("\0" + address[1:] if address.startswith("@") else address)
    say("bound")
    sys.stdin.readline()
    receiver.settimeout(float(silence))
    while True:
        try:
            say(receiver.recv(65536).decode())
        except socket.timeout:
            say("silence")


def make(kind, path):
    if kind == "file":
        return os.open(path, os.O_RDWR | os.O_CREAT)
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    made = socket.socket(family, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    if kind == "tcp":
        made.bind(("127.0.0.1", 0))
    elif kind == "abstract":
        made.bind("\0" + path)
    else:
        made.bind(path)
    if kind in ("listening", "tcp", "abstract"):
        made.listen(16)
    return made.detach()


def sockets(spec, command):
    wishes = json.loads(spec)
    kept = [fcntl.fcntl(make(wish["kind"], wish["path"]), fcntl.F_DUPFD, 100) for wish in wishes]
    say("made")
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            for number, fd in enumerate(kept, 3):
                os.dup2(fd, number, inheritable=True)
            os.closerange(3 + len(kept), 1024)
            os.environ.update(
                LISTEN_PID=str(os.getpid()),
                LISTEN_FDS=str(len(kept)),
                LISTEN_FDNAMES=":".join(wish["name"] for wish in wishes),
            )
            os.execvp(command[0], command)
        say({"pid": pid})
        threading.Thread(target=wait, args=(pid,), daemon=True).start()


def wait(pid):
    say({"exit": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


if sys.argv[1] == "receive":
    receive(*sys.argv[2:])
else:
    sockets(sys.argv[2], sys.argv[3:])
