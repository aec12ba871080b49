import "./style/index.css";
import { mountHeader, mountTabs, mountTools } from "./chrome";
import { find } from "./dom";
import { mountGuess } from "./guess";
import { followKeys } from "./keys";
import { mountShelf } from "./shelf";
import { Studio } from "./studio";
import { BlendView } from "./views/blend";
import { FinishView } from "./views/finish";
import { MapView } from "./views/map";
import { RedrawView } from "./views/redraw";
import { WanderView } from "./views/wander";

const studio = new Studio();
const views = {
  redraw: new RedrawView(studio),
  finish: new FinishView(studio),
  blend: new BlendView(studio),
  map: new MapView(studio),
  wander: new WanderView(studio),
};
mountTabs(studio, views);
mountTools(studio);
mountHeader(studio);
mountGuess(find("#guess"), studio);
mountShelf(find("#shelf"), studio);
followKeys(studio, views);
studio.openLink();
// Without network the page works from what is kept; the model is loaded before anything is kept of it.
const endWatch = studio.model.watch(({ kind }) => {
  if (kind !== "ready" || import.meta.env.DEV) return;
  endWatch();
  navigator.serviceWorker?.register("./sw.js").catch((error: unknown) => console.warn(error));
});
void studio.load();
