// How this page speaks to the proxy. The token stays in this variable: it is sent with what we ask, and nowhere else.

const SILENCE_MS = 8000;
const AGAIN_MS = 1000;
let token = "";

/** Use another token from now on. */
export function useToken(text) {
  token = text;
}

/** A refusal of the proxy, in its words. */
export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

function headers(more = {}) {
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

async function refusal(answer) {
  const said = await answer.json().catch(() => ({}));
  return new Refused(answer.status, typeof said.error === "string" ? said.error : `status ${answer.status}`);
}

/** Ask the proxy; what it answers. Throws Refused, and TypeError when it cannot be reached. */
export async function ask(method, path, message) {
  const sent = message === undefined ? {} : { body: JSON.stringify(message) };
  const fields = message === undefined ? headers() : headers({ "Content-Type": "application/json" });
  const answer = await fetch(path, { method, headers: fields, cache: "no-store", redirect: "error", ...sent });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

/**
 * Follow server-sent events for ever, and find the proxy again when it was lost. `onEvent` gets each event's data,
 * `onLost` why there are none; a token that is refused ends it, and is thrown.
 */
export async function follow(path, onEvent, onLost) {
  for (;;) {
    const stop = new AbortController();
    try {
      await read(path, stop, onEvent);
      onLost("the proxy has ended");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) throw error;
      onLost(error instanceof Refused ? error.message : "the proxy cannot be reached");
    } finally {
      stop.abort();
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function read(path, stop, onEvent) {
  let alarm = setTimeout(() => stop.abort(), SILENCE_MS);
  try {
    const answer = await fetch(path, { headers: headers(), cache: "no-store", signal: stop.signal });
    if (!answer.ok) throw await refusal(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => stop.abort(), SILENCE_MS);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) if (event.startsWith("data: ")) onEvent(JSON.parse(event.slice(6)));
    }
  } finally {
    clearTimeout(alarm);
  }
}
