// The topology: who asks whom, with the live rates of every edge. Rates are made of what two views counted.

import { byId, draw, make, renew, say } from "./dom.js";
import { byteRate, rate } from "./words.js";

const RATE_OVER_S = 3;
const SPARK_S = 60;
const SPARK_STEP_S = 1;
const EDGES = [
  { of: "opened", bad: "failed", bytes: "bytes_down" },
  { of: "asked", bad: "upstream_failed", bytes: "bytes_up" },
];
let history = [];
let instance = "";

/** Show a view. */
export function showTopology({ status, traffic }) {
  if (status.instance !== instance) [history, instance] = [[], status.instance]; // it counts anew
  history.push({ mono: status.mono, traffic });
  while (history[0].mono < status.mono - SPARK_S - RATE_OVER_S) history.shift();
  const routes = Object.entries(status.listeners).filter(([name]) => traffic[name]);
  renew(byId("routes"), routes, ([name]) => name, create, (route, [name, listener]) => {
    update(route, name, listener, traffic[name], status.active.filter((fault) => fault.listeners.includes(name)));
  });
}

function create() {
  const edge = (words) =>
    make("div", { class: "edge" }, make("span", { class: "unseen" }, words), make("span", { class: "rate" }), make("span", { class: "bad" }), spark());
  return make(
    "li",
    {},
    make("div", { class: "node" }, make("strong", {}, "clients"), make("span", { class: "note" })),
    edge("to the proxy: "),
    make("div", { class: "node" }, make("strong"), make("span", { class: "note" }), make("span", { class: "mono" })),
    edge("to the upstream: "),
    make("div", { class: "node" }, make("strong", {}, "upstream"), make("span", { class: "note mono" })),
  );
}

function spark() {
  const lines = ["all", "failed"].map((name) => draw("polyline", { class: name, points: "" }));
  return draw("svg", { class: "spark", viewBox: `0 0 ${SPARK_S} 20`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines);
}

function update(route, name, listener, now, faults) {
  const [clients, before, node, behind, upstream] = route.children;
  const unit = (now.is_tcp ? "connection" : "request") + (now.open === 1 ? "" : "s");
  say(clients.children[1], `${now.open} ${unit} open`);
  say(node.children[0], listener.role && listener.role !== name ? `${name} (${listener.role})` : name);
  say(node.children[1], listener.url);
  say(node.children[2], faults.map((fault) => (fault.id === fault.type ? fault.id : `${fault.id}: ${fault.type}`)).join(", "));
  node.classList.toggle("faulty", faults.length > 0);
  say(upstream.children[1], listener.upstream);
  [before, behind].forEach((edge, index) => updateEdge(edge, name, now, EDGES[index]));
}

function updateEdge(edge, name, now, { of, bad, bytes }) {
  const failing = perSecond(name, bad);
  const passed = now.is_tcp ? `, ${byteRate(perSecond(name, bytes))}` : "";
  say(edge.children[1], `${rate(perSecond(name, of))}${passed}`);
  say(edge.children[2], failing > 0 ? `${rate(failing)} failing` : "");
  edge.classList.toggle("failing", failing > 0);
  const curves = [of, bad].map((key) => curve(name, key));
  const most = Math.max(1e-9, ...curves.flat());
  curves.forEach((values, index) => {
    const points = values.map((value, at) => `${at * SPARK_STEP_S},${(19 - (18 * value) / most).toFixed(2)}`).join(" ");
    edge.children[3].children[index].setAttribute("points", index && !Math.max(0, ...values) ? "" : points);
  });
}

/** How fast a count has grown lately, up to `ago` seconds before the newest view. */
function perSecond(name, key, ago = 0) {
  const until = history.at(-1).mono - ago;
  const last = history.findLast((each) => each.mono <= until);
  const first = history.findLast((each) => each.mono <= until - RATE_OVER_S) ?? history[0];
  if (!last?.traffic[name] || !first.traffic[name] || last.mono <= first.mono) return 0;
  return Math.max(0, last.traffic[name][key] - first.traffic[name][key]) / (last.mono - first.mono);
}

function curve(name, key) {
  const steps = Array.from({ length: SPARK_S / SPARK_STEP_S + 1 }, (_, index) => SPARK_S - index * SPARK_STEP_S);
  return steps.map((ago) => perSecond(name, key, ago));
}
