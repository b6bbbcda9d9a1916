// From arguments, variables and defaults to checked settings: an argument wins over its variable, the variable over the
// default.

import { SettingsError } from "./errors.js";
import { checkMaxAttempts, checkTimeout } from "./limits.js";

/** Settings that every client has. What is not given comes from a variable (in Node), then from a default. */
export interface CommonSettings {
  /** The server's REST and Connect address; `VEXFS_URL`, then `http://127.0.0.1:8080`. `https` means TLS. */
  url?: string | undefined;
  /** Sent with every call as `authorization: Bearer TOKEN`; `VEXFS_TOKEN`, then none. */
  token?: string | undefined;
  /** Seconds a call may take, all its attempts and pauses together, 0 is no limit; `VEXFS_TIMEOUT`, then 30. */
  timeout?: number | undefined;
  /** How often a call is tried at most, 1 never tries again; `VEXFS_MAX_ATTEMPTS`, then 4. */
  maxAttempts?: number | undefined;
}

/** Looks a variable up; `undefined` where there are none. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The variable's value, or `undefined` when it is not set or empty. */
export function variable(variables: Variables, name: string): string | undefined {
  const value = variables[name];
  return value === "" ? undefined : value;
}

/** The common settings, checked. Throws {@link SettingsError}. */
export function commonSettings(given: CommonSettings, variables: Variables) {
  const url = given.url ?? variable(variables, "VEXFS_URL") ?? "http://127.0.0.1:8080";
  if (!/^https?:\/\/[^/?#]+\/*$/i.test(url)) {
    throw new SettingsError("url", `an address such as http://127.0.0.1:8080, not ${JSON.stringify(url)}`);
  }
  const token = given.token ?? variable(variables, "VEXFS_TOKEN");
  if (token !== undefined && !/^[\x21-\x7e]*$/.test(token)) {
    throw new SettingsError("token", "only visible ASCII characters; is a line break at its end?");
  }
  const timeout = given.timeout ?? numberOf("timeout", variable(variables, "VEXFS_TIMEOUT")) ?? 30;
  checkTimeout("timeout", timeout);
  const maxAttempts = given.maxAttempts ?? numberOf("max_attempts", variable(variables, "VEXFS_MAX_ATTEMPTS")) ?? 4;
  checkMaxAttempts("max_attempts", maxAttempts);
  return { url: url.replace(/\/+$/, ""), token: token === "" ? undefined : token, timeout, maxAttempts };
}

function numberOf(setting: string, text: string | undefined): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  if (!/^\d+(\.\d+)?$/.test(text.trim())) {
    throw new SettingsError(setting, `a number, not ${JSON.stringify(text)}`);
  }
  return Number(text);
}
