# Runs a program on a terminal of its own and shows what it wrote: pty-run.py ROWS COLUMNS SCRIPT PROGRAM ARG...
# SCRIPT is JSON: a list of [text to wait for, keys to send then]. What remains is read until the program ends.
# Prints JSON: its exit code, all it wrote, and whether the terminal was in canonical mode, with echo, at the end.
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

rows, columns, script, argv = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    os.close(master)
    os.close(slave)
    os.execvp(argv[0], argv)

output = b""
read_from = 0
deadline = time.monotonic() + 60
status = None
while time.monotonic() < deadline:
    ready, _, _ = select.select([master], [], [], 0.05)
    if ready:
        try:
            output += os.read(master, 65536)
        except OSError:
            pass
    if script and script[0][0].encode() in output[read_from:]:
        read_from = len(output)
        keys = script.pop(0)[1]
        if keys.startswith("resize "):
            height, width = map(int, keys.split()[1:])
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        elif keys.startswith("SIG"):
            os.kill(child, getattr(signal, keys))
        else:
            os.write(master, keys.encode())
    if status is None:
        pid, ended = os.waitpid(child, os.WNOHANG)
        if pid:
            status = ended
    elif not ready:
        break
if status is None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
flags = termios.tcgetattr(slave)[3]
code = None if status is None else os.waitstatus_to_exitcode(status)
is_sane = bool(flags & termios.ICANON) and bool(flags & termios.ECHO) and bool(flags & termios.ISIG)
print(json.dumps({"code": code, "output": output.decode("utf8", "replace"), "isSane": is_sane}))
