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

/** Called when another tab has kept something under a name. */
export function onStored(name: string, changed: () => void): void {
  window.addEventListener("storage", ({ key }) => key === PREFIX + name && changed());
}

/** What this tab keeps, and a new one begins with: two tabs do not overwrite each other. */
export function storedHere(name: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? stored(name);
  } catch {
    return null;
  }
}

export function storeHere(name: string, text: string): boolean {
  try {
    sessionStorage.setItem(PREFIX + name, text);
  } catch {
    // What the browser keeps for all tabs is what counts.
  }
  return store(name, text);
}
