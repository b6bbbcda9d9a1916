// Vectors on the wire: 32-bit floats, little-endian, whatever this machine's own order is.

/** A vector to send. Other arrays of numbers are rounded to 32 bits. */
export type VectorInput = Float32Array | readonly number[];

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The vector's bytes on the wire. */
export function packVector(vector: VectorInput, nativeOrder = hostIsLittleEndian): Uint8Array<ArrayBuffer> {
  const floats = new Float32Array(vector);
  const bytes = new Uint8Array(floats.buffer);
  return nativeOrder ? bytes : swapped(bytes);
}

/** The vector that the bytes hold; bytes behind the last whole float are no part of it. */
export function unpackVector(bytes: Uint8Array, nativeOrder = hostIsLittleEndian): Float32Array<ArrayBuffer> {
  const aligned = Uint8Array.from(bytes);
  return new Float32Array((nativeOrder ? aligned : swapped(aligned)).buffer, 0, aligned.length >> 2);
}

function swapped(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    view.setUint32(at, view.getUint32(at, true), false);
  }
  return bytes;
}
