# A client of the descriptor socket that knows nothing but docs/fd-exchange.md: puts a memfd, prints the ticket's length
# and lifetime, then what is said to a request without a descriptor and to one of version 2.
import os
import socket
import struct
import sys


def put(path, request, descriptors):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        socket.send_fds(connection, [request], descriptors)
        answer = b""
        while True:
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
    magic, version, status, length = struct.unpack("<4sBBH", answer[:8])
    assert (magic, version, length) == (b"IOFD", 1, len(answer) - 8), answer
    return status, answer[8:]


path = sys.argv[1]
memory = os.memfd_create("guest-ram", os.MFD_ALLOW_SEALING)
os.ftruncate(memory, 1 << 21)
status, body = put(path, b"IOFD\x01\x01\x01\x03ram", [memory])
ticket, milliseconds = struct.unpack("<32sI", body)
print(status, len(bytes.fromhex(ticket.decode())), milliseconds)
for request, descriptors in ((b"IOFD\x01\x01\x01\x03ram", []), (b"IOFD\x02\x01\x01\x03ram", [memory])):
    status, body = put(path, request, descriptors)
    print(status, body.decode())
