// How far the views have followed the log.

import { type ViewPosition as WirePosition, ViewState as WireState } from "./gen/vexfs/v1/common_pb.js";

/**
 * How a view is: it has everything up to its revision (`ready`), follows and has not caught up (`behind`), is being
 * built from the store (`rebuilding`), or cannot be read (`unavailable`); `unknown` for a state that this release does
 * not know.
 */
export type ViewState = "ready" | "behind" | "rebuilding" | "unavailable" | "unknown";

/** How far one view has followed the log. */
export interface ViewPosition {
  /** Which view: `text` (extraction and splitting), `dense`, `lexical`. */
  readonly view: string;
  /** The newest revision up to which it has everything. */
  readonly revision: bigint;
  /** How many files, or vectors, it knows of and does not have yet. */
  readonly pending: number;
  /** How it is. */
  readonly state: ViewState;
  /** The generation being served; empty if the view has none. */
  readonly generation: string;
  /** Why the build of a generation was put off, for people, such as too little memory; empty if none is. */
  readonly putOff: string;
}

const states: Partial<Record<WireState, ViewState>> = {
  [WireState.READY]: "ready",
  [WireState.BEHIND]: "behind",
  [WireState.REBUILDING]: "rebuilding",
  [WireState.UNAVAILABLE]: "unavailable",
};

/** The position that the contract's message tells. */
export function toViewPosition(position: WirePosition): ViewPosition {
  const { view, revision, pending, state, generation, putOff } = position;
  return { view, revision, pending: Number(pending), state: states[state] ?? "unknown", generation, putOff };
}
