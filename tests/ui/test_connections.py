"""Connections of the web server, in a process of its own: its limits are of the whole process."""

import subprocess
import sys

NODELAY_OF_A_CONNECTION = """
import asyncio
import socket

import uvicorn

from cxr_core.ui.server.connections import limit_connections


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def main():
    limit_connections()
    config = uvicorn.Config(answer, port=0, lifespan="off", log_level="error")
    server, listening = uvicorn.Server(config), config.bind_socket()
    address = listening.getsockname()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    await reader.readuntil(b"ok")
    (connection,) = server.server_state.connections
    print(connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    writer.close()
    server.should_exit = True
    await serving


asyncio.run(asyncio.wait_for(main(), 60))
"""


def test_the_body_of_a_response_does_not_wait_until_its_head_is_acknowledged():
    command = [sys.executable, "-c", NODELAY_OF_A_CONNECTION]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout)
