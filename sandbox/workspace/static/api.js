// The page's calls. The key stands in the address and goes out in a header, never in a cookie.

const key = new URLSearchParams(location.search).get("key") ?? "";

const headers = { "Content-Type": "application/json", "X-Workspace-Key": key };

/** This run is over, or the key is wrong: trying again is pointless. */
export class RunEnded extends Error {}

/** Do something in the viewer's place; return its outcome, with `error` set when it did not work. */
export async function act(name, body) {
  let response;
  try {
    response = await fetch(`/page/act/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    return failed("The workspace did not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  return response.ok ? answer : failed(answer.refused ?? "The workspace refused this.");
}

function failed(error) {
  return { acked: false, error, field_errors: {} };
}

/** Call `onChange` with the whole state and then with every change, until the stream ends or `signal` aborts. */
export async function follow(viewer, onChange, signal) {
  const response = await fetch("/page/feed", {
    method: "POST",
    headers,
    body: JSON.stringify({ viewer }),
    signal,
  });
  if (!response.ok) throw new RunEnded();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const record = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      if (record.startsWith("data: ")) onChange(JSON.parse(record.slice(6)));
    }
  }
}
