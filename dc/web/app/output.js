// What a task has written, put together from pieces that may come twice, late, or from two sides at once.
export const NO_OUTPUT = { text: "", attempt: 0, total: 0, next: 0, live: false, problem: null, loaded: false };

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

// What is there with one piece more (an OutputView): at most so many characters, the last ones.
export function joined(old, piece, most) {
  const same = old.loaded && piece.attempt === old.attempt;
  if (old.loaded && (piece.attempt < old.attempt || (same && piece.next < old.next))) return old; // it comes late
  const seen = old.next - piece.start; // bytes of it that are here already
  const follows = same && piece.start > 0 && seen >= 0;
  const text = follows ? old.text + without(piece.text, seen) : piece.text;
  return { ...NO_OUTPUT, ...piece, text: text.slice(-most), loaded: true };
}

function without(text, bytes) {
  return bytes ? DECODER.decode(ENCODER.encode(text).subarray(bytes)) : text;
}
