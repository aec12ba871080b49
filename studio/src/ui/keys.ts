import { type App, VIEWS, type View, type ViewName } from "./app";
import { openHelp } from "./help";
import { openPreferences } from "./preferences";
import { toggleTheme } from "./theme";

/** Fields in which keys write. */
const WRITES = "input:not([type=range], [type=radio], [type=checkbox]), textarea";
/** What a control that is focused does itself. */
const OWN_KEYS = ["enter", " ", "arrowleft", "arrowright", "arrowup", "arrowdown"];

/** Keys that act wherever one is on the page; `openHelp` lists them. */
export function followKeys(app: App, views: Record<ViewName, View>): void {
  window.addEventListener("keydown", (event) => {
    const isWriting = event.target instanceof Element && event.target.matches(WRITES);
    if (event.defaultPrevented || event.altKey || isWriting || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const act =
      event.ctrlKey || event.metaKey ? controlKey(app, key, event.shiftKey) : plainKey(app, views, key, event);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

type Act = (() => void) | undefined;

function controlKey(app: App, key: string, shift: boolean): Act {
  const acts: Record<string, () => void> = {
    z: () => (shift ? app.sheet.redo() : app.sheet.undo()),
    y: () => app.sheet.redo(),
    s: () => app.takeWithYou(),
  };
  return acts[key];
}

function plainKey(app: App, views: Record<ViewName, View>, key: string, event: KeyboardEvent): Act {
  const isOnControl = event.target instanceof Element && event.target.closest("button, a, summary, input") !== null;
  const isTheirs = isOnControl && OWN_KEYS.includes(key);
  if (key.length === 1 && key !== " " && !app.settings.value.shortcuts) return undefined;
  if (!isTheirs && views[app.view.value].key?.(event)) return () => undefined;
  const view = VIEWS[Number(key) - 1];
  if (view) return () => (app.view.value = view);
  const acts: Record<string, () => void> = {
    p: () => (app.tool.value = "pen"),
    v: () => (app.tool.value = "select"),
    e: () => (app.tool.value = "eraser"),
    x: () => app.clear(),
    k: () => app.keepCanvas(),
    o: () => app.openPicture(),
    t: () => toggleTheme(app.settings),
    "0": () => app.paper.refit(),
    ",": () => openPreferences(app),
    "?": openHelp,
  };
  return acts[key];
}
