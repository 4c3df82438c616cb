// The live page: log in where a token is wanted, follow the proxy, show what it says, and do what is pressed.

import { byId, say, show } from "./dom.js";
import { showFaults } from "./faults.js";
import { prepare, showTargets } from "./inject.js";
import { showRuns } from "./runs.js";
import { showLines, showStreams } from "./streams.js";
import { showTopology } from "./topology.js";
import { Refused, ask, follow, useToken } from "./wire.js";

const WHY = "stopped on the live page";
let prepared = false;
let stale = false;

/** Ask the proxy for something, and say what came of it. Throws its refusal. */
async function act(done, method, path, message) {
  try {
    const answer = await ask(method, path, message);
    show(byId("refused"), false);
    say(byId("announced"), "");
    say(byId("announced"), done);
    return answer;
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Error("the proxy cannot be reached");
  }
}

/** The same for buttons that have no place for a refusal of their own. */
async function press(done, method, path, message) {
  try {
    await act(done, method, path, message);
  } catch (error) {
    say(byId("refused"), error.message);
    show(byId("refused"), true);
  }
}

function showView(view) {
  const { status } = view;
  if (stale || byId("connection").textContent === "connecting") say(byId("connection"), `connected, chaosproxy ${status.chaosproxy}`);
  stale = false;
  byId("connection").classList.remove("lost");
  say(byId("halted"), status.halted ? `Stopped, nothing is injected: ${status.halted}` : "");
  show(byId("halted"), status.halted !== "");
  const unlock = byId("unlock");
  if (!status.halted && unlock === document.activeElement) byId("stop").focus();
  show(unlock, status.halted !== "");
  showTopology(view);
  showFaults(view, press);
  showTargets(view);
  showRuns(view);
  showStreams(view);
  showLines(view);
  document.documentElement.dataset.shown = status.instance;
}

function lost(why) {
  stale = true;
  byId("connection").classList.add("lost");
  say(byId("connection"), `${why}; trying again. What is shown is of before.`);
}

/** Follow the proxy until the token is refused. */
async function live() {
  if (!prepared) prepare(await ask("GET", "/page/catalogue"), act);
  prepared = true;
  show(byId("login"), false);
  show(byId("live"), true);
  show(byId("controls"), true);
  await follow("/page/views", showView, lost);
}

function logIn(why) {
  show(byId("live"), false);
  show(byId("controls"), false);
  show(byId("login"), true);
  say(byId("connection"), "not logged in");
  say(byId("login-refused"), why);
  byId("token").focus();
}

async function enter(token) {
  useToken(token);
  say(byId("connection"), "connecting");
  try {
    await live();
  } catch (error) {
    useToken("");
    logIn(error instanceof Refused && error.status === 401 ? "This is not the token of this proxy." : error.message);
  }
}

async function begin() {
  for (;;) {
    try {
      await live();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return logIn("This proxy wants a token now.");
      lost(error instanceof Refused ? error.message : "the proxy cannot be reached");
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

byId("stop").addEventListener("click", () => press("everything is stopped", "PUT", "/v1/lock", { why: WHY }));
byId("unlock").addEventListener("click", () => press("faults are let in again", "DELETE", "/v1/lock"));
byId("end-run").addEventListener("click", () => press("the experiment heals and ends", "DELETE", "/page/experiments"));
byId("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  say(byId("start-refused"), "");
  const name = byId("experiment").value;
  try {
    await act(`${name} begins`, "POST", `/page/experiments/${encodeURIComponent(name)}`);
  } catch (error) {
    say(byId("start-refused"), error.message);
  }
});
byId("login").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  byId("token").value = "";
  enter(token);
});

if (document.body.hasAttribute("data-needs-token")) logIn("");
else begin();
