/** Turn between the hues of neighbouring categories: no two of a few dozen are alike. */
const GOLDEN = 137.508;
const LIGHTNESS = { light: [0.6, 0.48, 0.7], dark: [0.72, 0.62, 0.82] } as const;

/** Colours of categories that are told apart on light or on dark paper. */
export function categoryColour(index: number, isDark: boolean): string {
  const steps = LIGHTNESS[isDark ? "dark" : "light"];
  const chroma = index % 2 === 0 ? 0.15 : 0.1;
  return `oklch(${steps[index % steps.length]} ${chroma} ${((index * GOLDEN) % 360).toFixed(1)})`;
}
