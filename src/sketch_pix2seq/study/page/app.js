"use strict";

// The server knows where a participant is; this page shows it, measures the time and sends the answers.

const GAP_MS = 400; // blank paper between two drawings
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const REQUEST_MS = 10000;

const by = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const CHOICES = ["person", "computer"]; // the buttons, too

const FORGOTTEN = "The server does not know you any more, so please begin again.";

let study;
let token = null;

// -- what the browser remembers: the participant's token, and an answer that has not arrived yet

const memory = {
  values: new Map(),
  key: (name) => `sketch-pix2seq-study:${study.id}:${name}`,
  get(name) {
    try {
      return localStorage.getItem(this.key(name));
    } catch {
      return this.values.get(name) ?? null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(this.key(name));
      else localStorage.setItem(this.key(name), value);
    } catch {
      this.values.set(name, value);
    }
  },
};

// -- the server

/** A request that is repeated until the server answers it; only refusals (4xx) come back as they are. */
async function request(path, body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await fetch(path, {
        method: body === undefined ? "GET" : "POST",
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      if (response.status < 500) {
        const content = await response.json();
        by("trouble").hidden = true;
        return { status: response.status, content };
      }
    } catch {
      // no connection, or cut: the same as an answer of 5xx
    }
    const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    if (attempt > 0) {
      by("trouble").textContent =
        "The study's server cannot be reached. Nothing you answered is lost; leave this page open, it keeps trying.";
      by("trouble").hidden = false;
    }
    await Promise.race([sleep(wait), new Promise((resolve) => addEventListener("online", resolve, { once: true }))]);
  }
}

/** Sends an answer, which the browser keeps until the server has it. Gives the new standing, and the truth of practice. */
async function deliver(answer) {
  memory.set("pending", JSON.stringify(answer));
  const { status, content } = await request(`api/participants/${token}/answers`, answer);
  memory.set("pending", null);
  if (status === 200) return { standing: content.standing, truth: content.kept.truth };
  return { standing: await standing(), truth: null }; // answered in another tab, or the study is gone
}

/** Where the participant is; null where the server does not know them. */
async function standing() {
  const { status, content } = await request(`api/participants/${token}`);
  return status === 200 ? content.standing : null;
}

// -- drawing

/** A drawing on the canvas, over time. */
class Film {
  constructor(strokes) {
    const { units_per_second: speed, pause_seconds: pause } = study.renderer;
    this.strokes = [];
    let t = 0;
    for (const points of strokes) {
      if (this.strokes.length) t += pause / study.speed;
      const times = [t];
      for (let i = 1; i < points.length; i += 1) {
        t += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]) / speed / study.speed;
        times.push(t);
      }
      this.strokes.push({ points, times });
    }
    this.seconds = t;
    const all = strokes.flat();
    const ends = [0, 1].map((axis) => [Math.min(...all.map((p) => p[axis])), Math.max(...all.map((p) => p[axis]))]);
    this.centre = ends.map(([low, high]) => (low + high) / 2);
  }

  /** Paints what has been drawn after so many seconds. */
  paint(context, side, seconds) {
    const { line, margin, ink } = study.renderer;
    const scale = side / (255 + 2 * margin);
    const place = ([x, y]) => [(x - this.centre[0]) * scale + side / 2, (y - this.centre[1]) * scale + side / 2];
    context.lineWidth = line * scale;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = ink;
    for (const { points, times } of this.strokes) {
      if (times[0] > seconds) break;
      context.beginPath();
      context.moveTo(...place(points[0]));
      if (points.length === 1) context.lineTo(...place(points[0]));
      for (let i = 1; i < points.length; i += 1) {
        if (times[i] <= seconds) {
          context.lineTo(...place(points[i]));
          continue;
        }
        const part = (seconds - times[i - 1]) / (times[i] - times[i - 1]);
        context.lineTo(...place([0, 1].map((axis) => points[i - 1][axis] + part * (points[i][axis] - points[i - 1][axis]))));
        break;
      }
      context.stroke();
    }
  }
}

const paper = {
  film: null,
  seconds: 0,
  frame: 0,

  paint() {
    const canvas = by("canvas");
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    context.fillStyle = study.renderer.paper;
    context.fillRect(0, 0, side, side);
    this.film?.paint(context, side, this.seconds);
  },

  clear() {
    cancelAnimationFrame(this.frame);
    this.film = null;
    this.paint();
  },

  /** Shows a drawing; resolves at the frame that has its first ink, with the time of that. */
  show(strokes) {
    cancelAnimationFrame(this.frame);
    return new Promise((resolve) => {
      this.frame = requestAnimationFrame(() => {
        this.film = new Film(strokes);
        this.seconds = study.show === "still" ? Infinity : 0;
        this.paint();
        const onset = performance.now();
        const step = () => {
          this.seconds = (performance.now() - onset) / 1000;
          this.paint();
          if (this.seconds < this.film.seconds) this.frame = requestAnimationFrame(step);
        };
        if (study.show !== "still") this.frame = requestAnimationFrame(step);
        resolve(onset);
      });
    });
  },
};

// -- the views

function view(name, heading) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  heading?.focus({ preventScroll: true });
  if (name !== "trial") scrollTo(0, 0);
}

const say = (text) => {
  by("spoken").textContent = text;
};

/** The next click on a button. */
const pressed = (id) => new Promise((resolve) => by(id).addEventListener("click", resolve, { once: true }));

async function pause(title, text, label) {
  by("pause-title").textContent = title;
  by("pause-text").textContent = text;
  by("go").textContent = label;
  view("pause", by("pause-title"));
  await pressed("go");
}

/** The participant's choice and its time, by key or button. */
function choice(onset) {
  return new Promise((resolve) => {
    const keys = { f: "person", j: "computer" };
    const settle = (says) => {
      removeEventListener("keydown", onKey);
      for (const id of CHOICES) by(id).onclick = null;
      const rt_ms = Math.min(Math.max(0, performance.now() - onset), study.longest_ms);
      resolve({ says, rt_ms: Math.round(rt_ms * 10) / 10 });
    };
    const onKey = (event) => {
      const says = keys[event.key.toLowerCase()];
      if (says && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey) settle(says);
    };
    addEventListener("keydown", onKey);
    for (const id of CHOICES) by(id).onclick = () => settle(id);
  });
}

function enable(on, chosen = null) {
  for (const id of CHOICES) {
    by(id).setAttribute("aria-disabled", String(!on));
    by(id).setAttribute("aria-pressed", String(id === chosen));
  }
}

/** One drawing: shown, judged, sent; in practice with what is right. Gives the new standing. */
async function judge(now) {
  const { trial, practice, strokes } = now.next;
  const number = practice ? trial + 1 : trial - now.practice + 1;
  const total = practice ? now.practice : now.trials;
  const counter = practice ? `Practice ${number} of ${total}` : `Drawing ${number} of ${total}`;
  by("counter").textContent = counter;
  by("progress").max = total;
  by("progress").value = number - 1;
  document.querySelector(".choices").hidden = false;
  by("feedback").hidden = true;
  by("trial-title").textContent = "Who drew this?";
  enable(false);
  if (by("trial").hidden) view("trial", by("trial-title"));
  paper.clear();
  await sleep(GAP_MS);
  const onset = await paper.show(strokes);
  say(counter);
  enable(true);
  const given = await choice(onset);
  enable(false, given.says);
  if (!practice) paper.clear();
  const { standing: after, truth } = await deliver({ trial, ...given });
  if (practice && truth !== null) {
    const right = truth === given.says;
    by("trial-title").textContent = right ? "Right" : "Not quite";
    by("verdict").textContent = truth === "person" ? "A person drew this." : "A computer drew this.";
    document.querySelector(".choices").hidden = true;
    by("feedback").hidden = false;
    say(`${by("trial-title").textContent}. ${by("verdict").textContent}`);
    by("next").focus({ preventScroll: true });
    await pressed("next");
  }
  return after;
}

function finish({ score }) {
  const right = score.people_right + score.computer_right;
  const of = score.people + score.computer;
  by("score").textContent = `${right} of ${of}`;
  by("score-of").textContent = "right";
  by("details").replaceChildren(
    ...[
      ["Drawn by people, and you said so", `${score.people_right} of ${score.people}`],
      ["Drawn by a computer, and you said so", `${score.computer_right} of ${score.computer}`],
    ].flatMap(([term, value]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = term;
      dd.textContent = value;
      return [dt, dd];
    }),
  );
  by("guessing").textContent = `Guessing gives about ${Math.round(of / 2)}.`;
  view("end", by("end-title"));
}

/** Consent; gives the standing of a new participant. */
async function welcome(note) {
  const fill = { trials: study.trials, practice: study.practice, minutes: study.minutes === 1 ? "a minute" : `${study.minutes} minutes` };
  for (const place of document.querySelectorAll("[data-fill]")) place.textContent = fill[place.dataset.fill];
  for (const place of document.querySelectorAll("[data-when]")) place.hidden = !study[place.dataset.when];
  by("consent-note").textContent = note;
  by("consent-note").hidden = !note;
  view("consent", by("consent-title"));
  await pressed("start");
  const { content } = await request("api/participants", {});
  token = content.token;
  memory.set("token", token);
  memory.set("pending", null);
  return content.standing;
}

/** The standing of somebody who comes back, with an answer delivered that had not arrived; null for a newcomer. */
async function returned() {
  token = memory.get("token");
  if (token === null) return null;
  const pending = memory.get("pending");
  return pending === null ? standing() : (await deliver(JSON.parse(pending))).standing;
}

async function run() {
  study = (await request("api/study")).content;
  let now = await returned();
  let note = token !== null && now === null ? FORGOTTEN : "";
  if (now?.next && now.answered) {
    const left = now.next.practice ? `${now.practice - now.answered} for practice, then ${now.trials}` : `${now.practice + now.trials - now.answered}`;
    await pause("Welcome back", `You were in the middle. Drawings still to come: ${left}.`, "Go on");
  }
  for (;;) {
    now ??= await welcome(note);
    note = "";
    while (now?.next) {
      const practised = now.next.practice;
      now = await judge(now);
      if (practised && now?.next && !now.next.practice) {
        await pause("Now it counts", `${now.trials} drawings follow. From here on you are not told who drew them.`, "Begin");
      }
    }
    if (now === null) {
      note = FORGOTTEN;
      continue;
    }
    finish(now);
    await pressed("again");
    memory.set("token", null);
    now = null;
  }
}

new ResizeObserver(() => study && paper.paint()).observe(by("canvas"));
run();
