// What every entry point exports.

export * from "./errors.js";
