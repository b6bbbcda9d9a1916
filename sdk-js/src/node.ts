/**
 * Client for VexFS in Node: over gRPC, or over Connect where only HTTP/1.1 goes through.
 *
 * @packageDocumentation
 */

export * from "./common.js";
export { Client, type ClientSettings } from "./node-client.js";
