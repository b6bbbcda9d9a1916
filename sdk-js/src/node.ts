/**
 * Client for VexFS in Node: gRPC, or Connect where only HTTP/1.1 goes through.
 *
 * @packageDocumentation
 */

export * from "./common.js";
export { Client, type ClientSettings } from "./node-client.js";
