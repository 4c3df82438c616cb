// What is active, for how long still, whom it met; and the buttons that end or prolong it.

import { byId, make, renew, say, show } from "./dom.js";
import { seconds } from "./words.js";

const PROLONG = "60s";

/** Show a view; `act(words, method, path, message)` asks the proxy and says what came of it. */
export function showFaults({ status }, act) {
  const { active, mono } = status;
  show(byId("faults-region"), active.length > 0);
  show(byId("no-faults"), active.length === 0);
  renew(byId("faults"), active, (fault) => fault.id, (fault) => create(fault, act), (row, fault) => update(row, fault, mono), byId("h-faults"));
}

function create(fault, act) {
  const path = `/v1/faults/${encodeURIComponent(fault.id)}`;
  const remove = make("button", { type: "button", class: "small", "aria-label": `Remove ${fault.id}` }, "Remove");
  const renewal = make("button", { type: "button", class: "small", "aria-label": `Prolong ${fault.id} to ${PROLONG} from now` }, "Prolong");
  remove.addEventListener("click", () => act(`${fault.id} is over`, "DELETE", path));
  renewal.addEventListener("click", () => act(`${fault.id} goes on for ${PROLONG}`, "POST", `${path}/renew`, { lease: PROLONG }));
  const [name, ...others] = ["", "num", "num", "", "", ""].map((kind) => make("td", kind ? { class: kind } : {}));
  return make("tr", {}, name, make("td", { class: "actions" }, remove, renewal), ...others);
}

function update(row, fault, mono) {
  const words = [
    fault.id,
    String(fault.hits),
    leaseOf(fault, mono),
    wordsOf(fault),
    fault.listeners.join(", "),
    fault.owner,
  ];
  [...row.querySelectorAll("td:not(.actions)")].forEach((cell, index) => say(cell, words[index]));
  show(row.querySelectorAll("button")[1], fault.lease_until !== null);
}

/** How long it lives without a renewal, and when it ends in any case. */
function leaseOf({ lease_until: lease, ends_at: end }, mono) {
  const left = (at) => seconds(Math.max(0, at - mono));
  if (lease === null) return end === null ? "no end" : left(end);
  return end === null ? left(lease) : `${left(Math.min(lease, end))}, ${left(end)} at most`;
}

function wordsOf({ rule, type, acting }) {
  const settings = Object.entries(rule.do).filter(([key, value]) => key !== "type" && value !== null && value !== "");
  const words = settings.map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`);
  if (rule.share !== "100%") words.push(`share=${rule.share}`);
  return `${[type, ...words].join(" ")}${acting ? "" : " (pausing)"}`;
}
