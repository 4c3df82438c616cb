// Requests under way, those that were silent for longest first; and what happened.

import { byId, make, renew, say, show } from "./dom.js";
import { seconds } from "./words.js";

const LONG_S = 5;

/** Show a view. */
export function showStreams({ streams, status }) {
  show(byId("streams-region"), streams.length > 0);
  show(byId("no-streams"), streams.length === 0);
  const all = status.open_exchanges;
  say(byId("streams-count"), all > streams.length ? `The ${streams.length} of ${all} that were silent for longest` : `${all} under way`);
  renew(byId("streams-rows"), streams, (stream) => stream.id, create, update);
}

function create() {
  const kinds = ["what", "", "num", "num", "num", "num", "num", ""];
  return make("tr", {}, ...kinds.map((kind) => make("td", kind ? { class: kind } : {})));
}

function update(row, stream) {
  const words = [
    stream.what,
    stream.listener,
    stream.status === null ? "-" : String(stream.status),
    seconds(stream.age_s),
    stream.stream ? String(stream.tokens) : "-",
    seconds(stream.gap_s),
    seconds(stream.silent_s),
    stream.faults.join(", "),
  ];
  words.forEach((text, index) => say(row.children[index], text));
  row.children[6].classList.toggle("silent", stream.silent_s >= LONG_S);
}

/** Show what happened, the newest first. */
export function showLines({ lines, status }) {
  show(byId("lines"), lines.length > 0);
  show(byId("no-lines"), lines.length === 0);
  const born = ({ number }) => `${status.instance}-${number}`;
  renew(byId("lines"), [...lines].reverse(), born, (line) => createLine(line, status), () => {});
}

function createLine(line, { wall, mono }) {
  const at = new Date((wall - mono + line.at) * 1000);
  const time = make("time", { datetime: at.toISOString() }, at.toLocaleTimeString());
  return make("li", { class: line.kind }, time, make("span", {}, line.text));
}
