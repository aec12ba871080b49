import type { DrawSettings } from "../core/types";
import { DEFAULT_FREEDOM, DEFAULT_SETTINGS } from "../core/types";
import { Cell } from "./cell";
import { stored, store } from "./storage";

export type Theme = "system" | "light" | "dark";

export interface Settings {
  readonly temperature: number;
  /** From tracing (0) to another drawing of the same thing (1). */
  readonly freedom: number;
  readonly device: "wasm" | "webgpu";
  /** Times the speed of a hand; 0 shows drawings at once. */
  readonly pace: number;
  readonly theme: Theme;
  /** Whether single letters and digits act wherever one is on the page. */
  readonly shortcuts: boolean;
}

export const DEFAULTS: Settings = {
  temperature: DEFAULT_SETTINGS.temperature,
  freedom: DEFAULT_FREEDOM,
  device: "wasm",
  pace: 1,
  theme: "system",
  shortcuts: true,
};

/** Paces that can be chosen, with their names. */
export const PACES: readonly (readonly [number, string])[] = [
  [0.5, "Slow"],
  [1, "Like a hand"],
  [2.5, "Quick"],
  [0, "At once"],
];

const PLACE = "settings";

/** The settings, kept from visit to visit. */
export function rememberedSettings(): Cell<Settings> {
  const settings = new Cell(checked(stored(PLACE)));
  settings.watch((value) => store(PLACE, JSON.stringify(value)));
  return settings;
}

/** What storage holds, where it makes sense, over the defaults. */
export function checked(text: string | null): Settings {
  let given: Partial<Record<keyof Settings, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value === "object" && value !== null) given = value;
  } catch {
    return DEFAULTS;
  }
  const within = (value: unknown, low: number, high: number, usual: number): number =>
    typeof value === "number" && value >= low && value <= high ? value : usual;
  return {
    temperature: within(given.temperature, 0, 1, DEFAULTS.temperature),
    freedom: within(given.freedom, 0, 1, DEFAULTS.freedom),
    device: given.device === "webgpu" ? "webgpu" : "wasm",
    pace: PACES.some(([pace]) => pace === given.pace) ? (given.pace as number) : DEFAULTS.pace,
    theme: given.theme === "light" || given.theme === "dark" ? given.theme : "system",
    shortcuts: given.shortcuts !== false,
  };
}

/** Freedom left out: where there is no picture to follow it does nothing. */
export function drawSettings({ temperature }: Settings, freedom: number | null = null): DrawSettings {
  return { ...DEFAULT_SETTINGS, temperature, freedom };
}

/** Share of the dial that the drawings beside each other are spread over. */
const SPREAD = 0.5;

/** How freely each of some rows is drawn, about the dial's position: never two alike, and all on the dial. */
export function spreadOver(freedom: number, rows: number): number[] {
  const least = freedom * (1 - SPREAD);
  return Array.from({ length: rows }, (_, row) => least + (SPREAD * row) / Math.max(1, rows - 1));
}
