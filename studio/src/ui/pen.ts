/** A place on an element, in CSS pixels from its upper left corner. */
export interface Touch {
  readonly x: number;
  readonly y: number;
  /** 0..1; null where the device measures none. */
  readonly pressure: number | null;
}

export interface PenEvents {
  /** `erases`: the pen's other end, or its button. */
  begin(touch: Touch, erases: boolean): void;
  move(touches: readonly Touch[]): void;
  end(): void;
  /** What was begun is no stroke: a palm, or a second finger. */
  cancel(): void;
  /** Two fingers have moved, from one pair of places to another. */
  pinch(before: readonly [Touch, Touch], after: readonly [Touch, Touch]): void;
}

/** Button of a pen's eraser in `PointerEvent.buttons`. */
const ERASER = 32;
/** A finger does nothing for so long after a pen was near: it is the palm of the hand that holds it. Milliseconds. */
const PALM = 4000;

/** Mouse, finger or pen on an element. A pen beats fingers. */
export function followPen(element: HTMLElement, events: PenEvents): void {
  let active: { readonly id: number; readonly type: string } | null = null;
  let penSeen = -Infinity;
  const fingers = new Map<number, Touch>();
  const pairOf = (): readonly [Touch, Touch] => [...fingers.values()] as [Touch, Touch];

  const touchOf = (event: PointerEvent, { left, top }: DOMRect): Touch => ({
    x: event.clientX - left,
    y: event.clientY - top,
    pressure: event.pointerType === "pen" && event.pressure > 0 ? event.pressure : null,
  });

  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "pen") penSeen = event.timeStamp;
    else if (event.pointerType === "touch" && event.timeStamp - penSeen < PALM) return;
    if (event.button !== 0 && !(event.buttons & ERASER)) return;
    if (event.pointerType === "touch") fingers.set(event.pointerId, touchOf(event, element.getBoundingClientRect()));
    if (active) {
      if (active.type === "touch") {
        active = null;
        events.cancel();
      }
      if (event.pointerType !== "pen") return;
    }
    if (event.pointerType === "touch" && fingers.size > 1) return;
    active = { id: event.pointerId, type: event.pointerType };
    element.setPointerCapture(event.pointerId);
    events.begin(touchOf(event, element.getBoundingClientRect()), (event.buttons & ERASER) !== 0);
  });

  element.addEventListener("pointermove", (event) => {
    if (event.pointerType === "pen") penSeen = event.timeStamp;
    if (!active && fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = pairOf();
      fingers.set(event.pointerId, touchOf(event, element.getBoundingClientRect()));
      return events.pinch(before, pairOf());
    }
    if (event.pointerId !== active?.id) return;
    const box = element.getBoundingClientRect();
    const moves = event.getCoalescedEvents?.() ?? [];
    events.move((moves.length > 0 ? moves : [event]).map((move) => touchOf(move, box)));
  });

  element.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (event.pointerId !== active?.id) return;
    active = null;
    events.end();
  });

  element.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    if (event.pointerId !== active?.id) return;
    active = null;
    events.cancel();
  });

  // A long press of a finger would open the browser's menu amid a stroke.
  element.addEventListener("contextmenu", (event) => event.preventDefault());
}
