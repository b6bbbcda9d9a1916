// A server that misbehaves on purpose, made with the library's own router: the tests say what each method does.

import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { CollectionsService } from "../dist/gen/vexfs/v1/collections_pb.js";
import { FilesService } from "../dist/gen/vexfs/v1/files_pb.js";
import { PointsService } from "../dist/gen/vexfs/v1/points_pb.js";
import { SearchService } from "../dist/gen/vexfs/v1/search_pb.js";
import { ServerService } from "../dist/gen/vexfs/v1/server_pb.js";

/** Every service of the contract. */
export const services = [FilesService, CollectionsService, PointsService, SearchService, ServerService];

/** Starts it on a free port; `implementations` has the methods of each service by the service's short name. */
export async function startFaulty(implementations) {
  const sessions = new Set();
  const routes = (router) => {
    for (const service of services) {
      router.service(service, implementations[service.name] ?? {});
    }
  };
  const server = createServer(connectNodeAdapter({ routes }));
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${server.address().port}`,
    /** Breaks all connections. */
    breakConnections() {
      for (const session of sessions) {
        session.destroy();
      }
    },
    async stop() {
      this.breakConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
