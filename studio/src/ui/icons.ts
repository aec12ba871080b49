/** Line icons of a 24 x 24 grid, drawn for this page. */
const PATHS = {
  pen: "M4.5 19.5l1-4.2L16.2 4.6a1.9 1.9 0 0 1 2.7 0l.5.5a1.9 1.9 0 0 1 0 2.7L8.7 18.5l-4.2 1z" + "M14 6.8l3.2 3.2",
  eraser:
    "M9.2 19.5L4.6 14.9a1.6 1.6 0 0 1 0-2.3l7.9-7.9a1.6 1.6 0 0 1 2.3 0l4.6 4.6a1.6 1.6 0 0 1 0 2.3l-7.9 7.9H9.2z" +
    "M8.6 8.6l6.9 6.9M11 19.5h8.5",
  select: "M5 8V5h3M11 5h2M16 5h3v3M19 11v2M5 11v2M5 16v3h3M11 19h2M16.5 19H19v-2.5M9.5 9.5h5v5h-5z",
  undo: "M8.5 5L4.5 9l4 4M4.8 9H14a5.2 5.2 0 0 1 0 10.4H9.5",
  redo: "M15.5 5l4 4-4 4M19.2 9H10a5.2 5.2 0 0 0 0 10.4h4.5",
  clear: "M5 7h14M10 7V4.8h4V7M7 7l.8 12.2h8.4L17 7M10.4 10.5v5.4M13.6 10.5v5.4",
  picture: "M4.5 5.5h15v13h-15zM5 16l4.2-4.4 3.3 3.2 2.6-2.5 4 3.9M15.6 9.3h.01",
  camera: "M4.5 8h3.2l1.5-2.3h5.6L16.3 8h3.2v10.5h-15zM12 16a3.1 3.1 0 1 0 0-6.2 3.1 3.1 0 0 0 0 6.2z",
  keep: "M7 4.5h10v15l-5-3.8-5 3.8z",
  kept: "M7 4.5h10v15l-5-3.8-5 3.8zM9.5 9.6l1.8 1.9 3.3-3.5",
  take: "M12 4.5v10.2M7.8 10.8L12 15l4.2-4.2M5 16.5v3h14v-3",
  settings:
    "M4.5 7.5h8.7M17.3 7.5h2.2M4.5 16.5h2.2M10.8 16.5h8.7" +
    "M15.2 9.6a2.1 2.1 0 1 0 0-4.2 2.1 2.1 0 0 0 0 4.2zM8.8 18.6a2.1 2.1 0 1 0 0-4.2 2.1 2.1 0 0 0 0 4.2z",
  help:
    "M9.2 9.2a2.9 2.9 0 1 1 4.3 2.5c-.9.5-1.5 1.1-1.5 2.2M12 17.4h.01" +
    "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17z",
  light:
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4" +
    "M18.4 5.6L17 7M7 17l-1.4 1.4",
  dark: "M19.3 14.4A7.9 7.9 0 0 1 9.6 4.7a7.9 7.9 0 1 0 9.7 9.7z",
  close: "M6 6l12 12M18 6L6 18",
  shuffle:
    "M4 7.5h2.6c1.6 0 2.7.8 3.6 2.1l3.6 4.8c.9 1.3 2 2.1 3.6 2.1H20M4 16.5h2.6c1.6 0 2.7-.8 3.6-2.1" +
    "M13.8 9.6c.9-1.3 2-2.1 3.6-2.1H20M17.5 5L20 7.5 17.5 10M17.5 14l2.5 2.5-2.5 2.5",
  next: "M5 12h13M13 6.5l5.5 5.5-5.5 5.5",
  play: "M8 5.5l10.5 6.5L8 18.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  data:
    "M9 4.5C6.5 4.5 7.5 8 7.5 9.5S6.5 12 5 12c1.5 0 2.5 1 2.5 2.5S6.5 19.5 9 19.5" +
    "M15 4.5c2.5 0 1.5 3.5 1.5 5S17.5 12 19 12c-1.5 0-2.5 1-2.5 2.5s1 5-1.5 5",
  plus: "M12 5.5v13M5.5 12h13",
  minus: "M5.5 12h13",
  whole: "M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  link:
    "M10 14a3.6 3.6 0 0 0 5.1 0l3-3A3.6 3.6 0 0 0 13 5.9l-.9.9" +
    "M14 10a3.6 3.6 0 0 0-5.1 0l-3 3a3.6 3.6 0 0 0 5.1 5.1l.9-.9",
  onto: "M4.5 19.5l.8-3.5L14 7.3l2.7 2.7L8 18.7l-3.5.8zM13.5 4.5h6v6",
  down: "M6.5 9.5L12 15l5.5-5.5",
  walk: "M5 18.5c5 .5 7-2 5.5-5.5S9 6 13 5.5s5 3 6 5.5M5 18.5h.01M17 9l2 2 1.2-2.6",
  check: "M5 12.5l4.6 4.6L19 7.5",
} as const;

export type Icon = keyof typeof PATHS;

export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
