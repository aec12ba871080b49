const PREFIX = "sketch-pix2seq.";

/** What the browser keeps of an earlier visit; null where it keeps nothing, or may not. */
export function stored(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Whether it could be kept. */
export function store(name: string, text: string): boolean {
  try {
    localStorage.setItem(PREFIX + name, text);
    return true;
  } catch {
    return false;
  }
}
