/** Called at each frame with the seconds since the last one; false ends it. */
type Frame = (seconds: number) => boolean;

const frames = new Set<Frame>();
let last = 0;
let asked = 0;

/** One animation clock for the whole page. */
export function eachFrame(frame: Frame): () => void {
  frames.add(frame);
  if (asked === 0) {
    last = performance.now();
    asked = requestAnimationFrame(tick);
  }
  return () => frames.delete(frame);
}

function tick(now: number): void {
  // A page that was in the background goes on where it was.
  const seconds = Math.min(0.1, Math.max(0, (now - last) / 1000));
  last = now;
  for (const frame of [...frames]) if (!frame(seconds)) frames.delete(frame);
  asked = frames.size > 0 ? requestAnimationFrame(tick) : 0;
}
