// A TCP proxy that cuts connections off: after so many bytes of an answer, both sides are reset.

import { connect, createServer } from "node:net";

/**
 * Starts it before `address` (`host:port`). Connection number n is cut after `limits[n]` bytes of answers; those
 * behind the last are not.
 */
export async function startCuttingProxy(address, limits) {
  const [host, port] = address.split(":");
  const sockets = new Set();
  const proxy = { connections: 0, address: "", stop };
  const server = createServer((down) => {
    let left = limits[proxy.connections] ?? Number.POSITIVE_INFINITY;
    proxy.connections += 1;
    const up = connect(Number(port), host);
    for (const socket of [down, up]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        down.destroy();
        up.destroy();
      });
    }
    down.pipe(up);
    up.on("data", (data) => {
      down.write(data.subarray(0, left));
      left -= data.length;
      if (left <= 0) {
        down.resetAndDestroy();
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.address = `127.0.0.1:${server.address().port}`;
  return proxy;

  async function stop() {
    for (const socket of sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => server.close(resolve));
  }
}
