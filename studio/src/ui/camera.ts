import type { Drawing } from "../core/types";
import { h } from "./dom";
import { openDialog } from "./dialog";
import { icon } from "./icons";
import { drawingFromVideo } from "./intake";
import { sentenceOf, type Status } from "./status";

/** Shows what the camera sees, and takes a picture of it. */
export async function openCamera(status: Status, onDrawing: (drawing: Drawing) => void): Promise<void> {
  const stream = await cameraStream(status);
  if (!stream) return;
  const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "What the camera sees" });
  video.srcObject = stream;
  const said = h("p", { class: "aside", role: "status" }, "Hold a drawing on paper into the picture.");
  const shoot = h(
    "button",
    { class: "button primary", type: "button", "data-testid": "shoot" },
    icon("camera"),
    "Take it",
  );
  const dialog = openDialog({
    title: "Camera",
    className: "camera",
    content: [video, said, h("div", { class: "buttons" }, shoot)],
    onClose: () => stream.getTracks().forEach((track) => track.stop()),
  });
  shoot.addEventListener("click", async () => {
    shoot.disabled = true;
    try {
      onDrawing(await drawingFromVideo(video));
      dialog.close();
    } catch (error) {
      said.textContent = sentenceOf(error);
    } finally {
      shoot.disabled = false;
    }
  });
}

async function cameraStream(status: Status): Promise<MediaStream | null> {
  if (!navigator.mediaDevices?.getUserMedia) {
    status.warn("This page cannot use a camera here; drop a photo onto it instead.");
    return null;
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1600 } } });
  } catch (error) {
    const refused = error instanceof DOMException && error.name === "NotAllowedError";
    status.warn(
      refused
        ? "The camera may not be used; allow it in the browser's settings for this page, or drop a photo onto it."
        : "There is no camera; drop a photo onto the page instead.",
    );
    return null;
  }
}
