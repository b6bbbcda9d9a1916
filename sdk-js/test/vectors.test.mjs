// Vectors are little-endian on the wire, whatever the order of the machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { packVector, unpackVector } from "../dist/vectors.js";

const WIRE = [0, 0, 128, 63, 0, 0, 32, 192]; // 1.0 and -2.5

test("floats become little-endian bytes and come back", () => {
  assert.deepEqual([...packVector([1, -2.5])], WIRE);
  assert.deepEqual([...packVector(Float32Array.of(1, -2.5))], WIRE);
  assert.deepEqual([...unpackVector(Uint8Array.from(WIRE))], [1, -2.5]);
});

test("bytes at an odd place in a buffer are read", () => {
  assert.deepEqual([...unpackVector(Uint8Array.from([9, ...WIRE]).subarray(1))], [1, -2.5]);
});

test("on a machine of the other order the bytes are swapped", () => {
  // What such a machine would make of its own floats is what this one makes of swapped bytes.
  const swapped = [63, 128, 0, 0, 192, 32, 0, 0];
  assert.deepEqual([...packVector([1, -2.5], false)], swapped);
  assert.deepEqual([...unpackVector(Uint8Array.from(swapped), false)], [1, -2.5]);
});

test("the caller's array is not touched, and later changes of it do not matter", () => {
  const vector = Float32Array.of(1, -2.5);
  const packed = packVector(vector);
  vector[0] = 9;
  assert.deepEqual([...packed], WIRE);
});
