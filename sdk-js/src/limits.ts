// What numbers a time-out and a count of attempts can be, wherever they come from.

import { SettingsError } from "./errors.js";

/** Throws a {@link SettingsError} unless `seconds` is a number from 0 on. */
export function checkTimeout(setting: string, seconds: number): void {
  if (!(Number.isFinite(seconds) && seconds >= 0)) {
    throw new SettingsError(setting, `a number of seconds from 0 on, not ${seconds}`);
  }
}

/** Throws a {@link SettingsError} unless `count` is a whole number from 1 on. */
export function checkMaxAttempts(setting: string, count: number): void {
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new SettingsError(setting, `a whole number from 1 on, not ${count}`);
  }
}
