// The form for any fault of the catalogue. What is typed goes to the proxy as it is; the proxy says what is wrong.

import { byId, make, renew, say, show } from "./dom.js";

const OWNER = "page";
let forms = new Map();
let active = [];
let known = "";

/** Fill the form with the catalogue. `act` asks the proxy, and throws its refusal. */
export function prepare(catalogue, act) {
  forms = new Map(catalogue.forms.map((form) => [form.type, form]));
  const groups = Map.groupBy(catalogue.forms, (form) => form.room);
  const options = (group) => group.map((form) => make("option", { value: form.type }, form.type));
  byId("fault").replaceChildren(...[...groups].map(([room, group]) => make("optgroup", { label: room }, ...options(group))));
  byId("fault").addEventListener("input", choose); // before the form hears of it
  byId("inject").addEventListener("input", preview);
  byId("inject").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(act);
  });
  choose();
}

/** Follow the proxy: where faults can act, and which ids are taken. */
export function showTargets({ status }) {
  active = status.active.map((fault) => fault.id);
  const names = Object.keys(status.listeners);
  if (known === JSON.stringify(names)) return;
  known = JSON.stringify(names);
  const boxes = names.map((name) => {
    const box = make("input", { type: "checkbox", name: "target", value: name });
    box.checked = names.length === 1;
    return make("label", { class: "tick" }, box, ` ${name}`);
  });
  byId("targets").replaceChildren(make("legend", {}, "Where"), ...boxes);
  preview();
}

const chosen = () => forms.get(byId("fault").value);

function choose() {
  const form = chosen();
  say(byId("summary"), form.summary);
  say(byId("symptom"), form.symptom ? `The client sees: ${form.symptom}` : "");
  say(byId("timeline"), form.timeline);
  show(byId("timeline"), form.timeline !== "");
  say(byId("detail"), form.detail);
  show(byId("requests"), !form.on_connections);
  byId("settings").replaceChildren(make("legend", {}, "What it does"), ...form.fields.map(field));
  if (!form.fields.length) byId("settings").append(make("p", { class: "note" }, "Nothing to set."));
  forget();
  preview();
}

function field(each) {
  const id = `set-${each.name}`;
  const limits = each.kind === "choice" || each.kind === "flag" ? "" : `${each.hint}. `;
  const help = make("p", { class: "note", id: `${id}-help` }, limits + each.doc);
  const mistake = make("p", { class: "mistake", id: `${id}-mistake` });
  const input = each.kind === "choice" || each.kind === "flag" ? choice(each) : entry(each);
  input.id = id;
  input.dataset.setting = each.name;
  input.setAttribute("aria-describedby", `${help.id} ${mistake.id}`);
  return make("div", { class: "field" }, make("label", { for: id }, each.name), input, help, mistake);
}

function choice({ kind, choices, default: standard }) {
  const values = kind === "flag" ? ["true", "false"] : choices;
  const options = (values.includes(standard) ? values : ["", ...values]).map((value) => make("option", { value }, value || "(not set)"));
  const select = make("select", {}, ...options);
  select.value = standard;
  return select;
}

function entry({ kind, default: standard }) {
  const numeric = { whole: { inputmode: "numeric" }, number: { inputmode: "decimal" } }[kind] ?? {};
  return make("input", { value: standard, autocomplete: "off", spellcheck: "false", ...numeric });
}

/** The settings that were changed, as text by name. */
function changed() {
  const fields = new Map(chosen().fields.map((each) => [each.name, each]));
  const inputs = [...byId("settings").querySelectorAll("[data-setting]")];
  return inputs
    .map((input) => [fields.get(input.dataset.setting), input.value.trim()])
    .filter(([each, value]) => value !== each.default);
}

function mapping(text) {
  return Object.fromEntries(text.split(",").map((pair) => pair.split(/=(.*)/s).slice(0, 2).map((part) => (part ?? "").trim())));
}

/** The common keys that were filled in: [key on the command line, path in the rule, value]. */
function common() {
  if (chosen().on_connections) return [];
  const keys = [["share", ["share"]], ["match.path", ["match", "path"]], ["match.model", ["match", "model"]], ["max_hits", ["max_hits"]]];
  const filled = keys.map(([key, path]) => [key, path, byId(key.replace(".", "-")).value.trim()]);
  return filled.filter(([key, , value]) => value !== "" && !(key === "share" && value === "100%"));
}

const targets = () => [...byId("targets").querySelectorAll("input:checked")].map((box) => box.value);

function rule() {
  const { type } = chosen();
  const settings = changed().map(([each, value]) => [each.name, each.kind === "mapping" ? mapping(value) : value]);
  const wanted = { id: freeId(type), listeners: targets(), do: { type, ...Object.fromEntries(settings) } };
  for (const [, path, value] of common()) {
    if (path.length === 1) wanted[path[0]] = value;
    else wanted[path[0]] = { ...wanted[path[0]], [path[1]]: value };
  }
  if (byId("streams").checked) wanted.streams = "all";
  return wanted;
}

function freeId(type) {
  let number = 1;
  const id = () => (number === 1 ? type : `${type}-${number}`);
  while (active.includes(id())) number += 1;
  return id();
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`);

function preview() {
  const words = ["chaosproxy", "inject", chosen()?.type ?? ""];
  if (chosen()) {
    words.push(...changed().map(([each, value]) => quoted(`${each.name}=${value}`)));
    words.push(...common().map(([key, , value]) => quoted(`${key}=${value}`)));
    if (byId("streams").checked) words.push("streams=all");
  }
  for (const name of targets()) words.push("--on", quoted(name));
  words.push("--lease", quoted(byId("lease").value.trim() || "30s"));
  say(byId("command"), words.join(" "));
}

async function submit(act) {
  forget();
  const wanted = rule();
  if (!wanted.listeners.length) {
    say(byId("inject-refused"), "Where? Choose a listener.");
    byId("targets").querySelector("input")?.focus();
    return;
  }
  const message = { rule: wanted, lease: byId("lease").value.trim(), owner: OWNER, seed: Math.floor(Math.random() * 2 ** 31) };
  try {
    await act(`${wanted.id} is active on ${wanted.listeners.join(", ")}`, "POST", "/v1/faults", message);
  } catch (error) {
    complain(error.message);
  }
}

function forget() {
  for (const input of byId("inject").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const mistake of byId("inject").querySelectorAll(".mistake")) say(mistake, "");
}

/** Put each mistake where it was made; the first of these gets the focus. */
function complain(words) {
  const left = [];
  let first = null;
  for (const part of words.split("; ")) {
    const [, path, rest] = part.match(/^([\w.:-]+): (.*)$/s) ?? [null, "", part];
    const name = path.replace(/^rule\.(do\.)?/, "");
    const setting = [...byId("settings").querySelectorAll("[data-setting]")].find((each) => name.split(".").includes(each.dataset.setting));
    const input = path ? (setting ?? byId(name.replace(".", "-"))) : null;
    if (input?.id && byId(`${input.id}-mistake`)) {
      input.setAttribute("aria-invalid", "true");
      say(byId(`${input.id}-mistake`), rest.replace(/^Value error, /, ""));
      first ??= input;
    } else left.push(part.replace(/^(rule: )?Value error, /, ""));
  }
  say(byId("inject-refused"), left.join("; "));
  first?.focus();
}
