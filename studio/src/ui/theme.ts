import type { Cell } from "./cell";
import type { Settings } from "./settings";

/** The colours that canvases draw with, as the style sheet has them. */
export interface Palette {
  readonly person: string;
  readonly model: string;
  readonly ghost: string;
  readonly text: string;
  readonly paper: string;
  readonly isDark: boolean;
}

const watchers = new Set<() => void>();
let current: Palette | null = null;

export function palette(): Palette {
  if (current) return current;
  // An element each: one whose colour changes may be in transition when it is read.
  const colour = (name: string): string => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = `var(${name})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  current = {
    person: colour("--graphite"),
    model: colour("--pencil"),
    ghost: colour("--ghost"),
    text: colour("--text"),
    paper: colour("--paper"),
    isDark: document.documentElement.dataset["theme"] === "dark",
  };
  return current;
}

/** Called when the colours have changed. */
export function onPalette(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Light or dark: as it is set, or as the system has it. */
export function followTheme(settings: Cell<Settings>): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = (): void => {
    const { theme } = settings.value;
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
    current = null;
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", palette().paper);
    for (const watcher of watchers) watcher();
  };
  system.addEventListener("change", apply);
  settings.watch(({ theme }, before) => theme !== before.theme && apply());
  apply();
}

export function toggleTheme(settings: Cell<Settings>): void {
  settings.value = { ...settings.value, theme: palette().isDark ? "light" : "dark" };
}

export function wantsStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
