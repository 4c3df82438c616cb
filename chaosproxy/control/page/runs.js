// Experiments: the timeline of every run that drives this proxy, advancing; and those that can be started from here.

import { byId, draw, make, renew, say, show } from "./dom.js";
import { seconds } from "./words.js";

const LINE = 22;
const NAME_MOST = 170;
const WARMUP_LEAST = 60;

/** Show a view. */
export function showRuns({ status, experiments }) {
  const runs = Object.entries(status.runs);
  renew(byId("programmes"), runs, ([owner]) => owner, create, (element, [owner, run]) => update(element, owner, run, status), byId("h-runs"));
  show(byId("starting"), experiments !== null);
  show(byId("no-folder"), experiments === null);
  if (experiments !== null) showTrial(experiments);
}

function create([, run]) {
  const bar = make("progress", { class: "unseen" });
  bar.setAttribute("aria-label", `Time of ${run.name}`);
  const picture = draw("svg", { height: LINE * (run.faults.length + 1) + 4, "aria-hidden": "true" });
  return make("div", { class: "programme" }, make("h3", {}, run.name), make("p", { class: "note" }, run.question), make("p", {}), bar, picture, make("ul", { class: "unseen" }));
}

function update(element, owner, run, { mono, active }) {
  const [, question, phase, bar, picture, list] = element.children;
  const at = mono - run.origin;
  show(question, run.question !== "");
  say(phase, `${phaseOf(at, run)} · seed ${run.seed} · ${owner}`);
  bar.max = run.lasts_s + run.warmup_s;
  bar.value = Math.min(bar.max, Math.max(0, at + run.warmup_s));
  const states = run.faults.map((fault) => stateOf(fault, at, active.some((each) => each.id === fault.id)));
  const words = run.faults.map((fault, index) => `${fault.id}, ${fault.type} on ${fault.listeners.join(", ")}: ${states[index]}`);
  renew(list, words.map((text, index) => [index, text]), ([index]) => index, () => make("li"), (item, [, text]) => say(item, text));
  picture.replaceChildren(...paint(run, at, states, picture.clientWidth || 300));
}

function phaseOf(at, { warmup_s, lasts_s }) {
  if (at < -warmup_s) return "starting";
  if (at < 0) return `warming up, ${seconds(-at)} to go`;
  return at < lasts_s ? `${seconds(at)} of ${seconds(lasts_s)}` : "waiting for the last answers";
}

function stateOf(fault, at, isActive) {
  if (isActive) return "acting";
  return at < fault.at_s ? `planned in ${seconds(fault.at_s - at)}` : at < fault.at_s + fault.lasts_s ? "not active" : "over";
}

function paint(run, at, states, width) {
  const from = -run.warmup_s;
  const name = Math.min(NAME_MOST, width / 4);
  const letters = Math.floor(name / 7);
  const x = (time) => name + ((Math.min(run.lasts_s, Math.max(from, time)) - from) / (run.lasts_s - from || 1)) * (width - name - 8);
  const text = (words, left, top, more = {}) => draw("text", { x: left, y: top, ...more }, words);
  const drawn = [text(x(0) - x(from) > WARMUP_LEAST ? "warm-up" : "", x(from), 14), text("0 s", x(0), 14), text(seconds(run.lasts_s), x(run.lasts_s), 14, { "text-anchor": "end" })];
  run.faults.forEach((fault, index) => {
    const top = LINE * (index + 1);
    const [left, right] = [x(fault.at_s), x(fault.at_s + fault.lasts_s)];
    drawn.push(text(fault.id.length > letters ? `${fault.id.slice(0, letters - 1)}…` : fault.id, 0, top + 14));
    drawn.push(draw("rect", { class: "track", x: x(from), y: top + 3, width: x(run.lasts_s) - x(from), height: LINE - 7 }));
    drawn.push(draw("rect", { class: states[index] === "acting" ? "band acting" : "band", x: left, y: top + 3, width: Math.max(3, right - left), height: LINE - 7 }));
  });
  drawn.push(draw("line", { class: "now", x1: x(at), x2: x(at), y1: 18, y2: LINE * (run.faults.length + 1) + 2 }));
  return drawn;
}

function showTrial({ files, trial }) {
  const select = byId("experiment");
  renew(select, files, (name) => name, (name) => make("option", { value: name }, name), () => {});
  const goesOn = trial !== null && trial.exit_code === null;
  const button = byId("start").querySelector("button[type=submit]");
  button.disabled = goesOn || files.length === 0;
  const end = byId("end-run");
  if (!goesOn && end === document.activeElement) byId("h-runs").focus();
  show(end, goesOn);
  end.disabled = goesOn && trial.stopping;
  say(byId("trial"), trial === null ? (files.length ? "" : "There is no experiment in the folder.") : trialWords(trial));
  const said = byId("trial-said");
  show(said, trial !== null && trial.said.length > 0);
  if (trial !== null) say(said, trial.said.join("\n"));
}

function trialWords({ name, exit_code: code, stopping, verdict }) {
  if (code === null) return stopping ? `${name} heals and ends` : `${name} is under way`;
  return `${name}: ${verdict} (exit code ${code})`;
}
