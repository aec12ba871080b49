import { type App, VIEWS, type View, type ViewName } from "./app";
import { openCamera } from "./camera";
import { find, h, refill } from "./dom";
import { openHelp } from "./help";
import { type Icon, icon } from "./icons";
import { openMenu } from "./menu";
import type { Tool } from "./paper";
import { openPlayback } from "./playback";
import { openPreferences } from "./preferences";
import { store } from "./storage";
import { onPalette, palette, toggleTheme } from "./theme";

function iconButton(sign: Icon, label: string, key: string, act: () => void): HTMLButtonElement {
  return h(
    "button",
    {
      class: "icon-button",
      type: "button",
      "aria-label": label,
      title: key === "" ? label : `${label} (${key})`,
      "data-testid": sign,
      onclick: act,
    },
    icon(sign),
  );
}

/** The five tabs, and what is seen below them. */
export function mountTabs(app: App, views: Record<ViewName, View>): void {
  const bar = find("#tabs");
  const panel = find("#panel");
  const tabs = VIEWS.map((name) =>
    h(
      "button",
      {
        role: "tab",
        type: "button",
        id: `tab-${name}`,
        "aria-controls": "panel",
        "data-testid": `tab-${name}`,
        onclick: () => (app.view.value = name),
      },
      name[0]!.toUpperCase() + name.slice(1),
    ),
  );
  bar.append(...tabs);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    const next = (VIEWS.indexOf(app.view.value) + step + VIEWS.length) % VIEWS.length;
    app.view.value = VIEWS[next]!;
    tabs[next]!.focus();
    event.preventDefault();
    event.stopPropagation();
  });
  const show = (): void => {
    const name = app.view.value;
    document.body.dataset["view"] = name;
    store("view", name);
    tabs.forEach((tab, index) => {
      const isChosen = VIEWS[index] === name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    panel.scrollTop = 0;
    refill(panel, apology(app, views[name]) ?? views[name].element);
  };
  show();
  views[app.view.value].enter();
  app.view.watch((name, before) => {
    views[before].leave();
    show();
    views[name].enter();
  });
  app.model.watch(show);
}

/** Why a view cannot be used; null where it can. */
function apology(app: App, view: View): HTMLElement | null {
  const model = app.model.value;
  if (model.kind === "loading") return null;
  const sentence = model.kind === "failed" ? model.sentence : view.missing(model.engine);
  if (sentence === null) return null;
  return h(
    "div",
    { class: "apology" },
    h("p", { class: "missing", "data-testid": "missing" }, sentence),
    model.kind === "failed" && h("button", { class: "button", type: "button", onclick: () => app.load() }, "Try again"),
  );
}

/** What is done to the canvas. */
export function mountTools(app: App): void {
  const tool = (name: Tool, label: string, key: string): HTMLButtonElement => {
    const button = iconButton(name, label, key, () => (app.tool.value = name));
    app.tool.follow((value) => button.setAttribute("aria-pressed", String(value === name)));
    return button;
  };
  const undo = iconButton("undo", "Undo", "Ctrl+Z", () => app.sheet.undo());
  const redo = iconButton("redo", "Redo", "Shift+Ctrl+Z", () => app.sheet.redo());
  const clear = iconButton("clear", "Clear the canvas", "X", () => app.clear());
  const keep = iconButton("keep", "Keep this drawing", "K", () => app.keepCanvas());
  const add = iconButton("picture", "Draw from a picture", "", () =>
    openMenu(add, "Draw from a picture", [
      { name: "Open a picture", icon: "picture", key: "O", run: () => app.openPicture() },
      {
        name: "Take one",
        icon: "camera",
        run: () => void openCamera(app.status, (drawing) => app.continueOn(drawing, false, "person")),
      },
    ]),
  );
  add.setAttribute("aria-haspopup", "menu");
  const replay = iconButton("play", "Replay, and the order of strokes", "", () => openPlayback(app));
  const whole = iconButton("whole", "Show all of the page", "0", () => app.paper.refit());
  app.paper.isMoved.follow((isMoved) => (whole.hidden = !isMoved));
  const rule = (): HTMLElement => h("span", { class: "rule", "aria-hidden": "true" });
  const select = tool("select", "Select, move and scale strokes", "V");
  const [pen, eraser] = [tool("pen", "Pen", "P"), tool("eraser", "Eraser", "E")];
  find("#tools").append(pen, select, eraser, rule(), undo, redo, clear, rule(), add, keep, replay, whole);
  app.sheet.ink.follow((ink) => {
    undo.disabled = !app.sheet.canUndo;
    redo.disabled = !app.sheet.canRedo;
    clear.disabled = keep.disabled = replay.disabled = ink.length === 0;
  });
}

/** What is done to the page. */
export function mountHeader(app: App): void {
  const theme = iconButton("dark", "Dark paper", "T", () => toggleTheme(app.settings));
  theme.dataset["testid"] = "theme";
  const showTheme = (): void => {
    const label = palette().isDark ? "Light paper" : "Dark paper";
    theme.setAttribute("aria-label", label);
    theme.title = `${label} (T)`;
    refill(theme, icon(palette().isDark ? "light" : "dark"));
  };
  showTheme();
  onPalette(showTheme);
  find("#actions").append(
    h(
      "button",
      {
        class: "button take-button",
        type: "button",
        "aria-label": "Take it with you",
        "data-testid": "take",
        title: "Take it with you (Ctrl+S)",
        onclick: () => app.takeWithYou(),
      },
      icon("take"),
      h("span", { class: "wide-only" }, "Take it with you"),
    ),
    theme,
    iconButton("help", "Keys", "?", openHelp),
    iconButton("settings", "Settings", ",", () => openPreferences(app)),
  );
}
