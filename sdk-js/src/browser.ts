/**
 * Client for VexFS in browsers: over Connect, which is HTTP/1.1 or HTTP/2 through `fetch`.
 *
 * @packageDocumentation
 */

export { Client, type ClientSettings } from "./browser-client.js";
export * from "./common.js";
