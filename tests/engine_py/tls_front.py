"""Stands for an engine behind TLS: takes connections of clients that have a certificate of this authority, and passes them to a
socket. Prints its port. Ends when its stdin is closed.

usage: tls_front.py DIRECTORY SOCKET
"""

import asyncio
import ssl
import sys

directory, target = sys.argv[1:]


async def copy(source, sink):
    try:
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def serve(reader, writer):
    theirs, ours = await asyncio.open_unix_connection(target)
    await asyncio.gather(copy(reader, ours), copy(theirs, writer))


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{directory}/ca.pem")
    context.load_cert_chain(f"{directory}/server.pem", f"{directory}/server-key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
