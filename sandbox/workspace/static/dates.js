// Slack's date tokens and the page's own times, all in the zone of the viewer's device.

const forms = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date_slash: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  date_long_full: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "2-digit", minute: "2-digit" },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

const pretty = { date_pretty: "date", date_short_pretty: "date_short", date_long_pretty: "date_long" };

/** Return `layout` with its tokens filled in for the instant `seconds`; an unknown token stays as it is. */
export function spell(seconds, layout, now = new Date()) {
  const at = new Date(seconds * 1000);
  return layout.replace(/\{([a-z_]+)\}/g, (whole, token) => {
    if (token === "ago") return ago(at, now);
    if (token in pretty) return nearby(at, now) ?? format(at, forms[pretty[token]]);
    return token in forms ? format(at, forms[token]) : whole;
  });
}

/** Return the time of day of a message's ts. */
export function clock(ts) {
  return format(new Date(Number(ts) * 1000), forms.time);
}

/** Return day and time of a message's ts, for a tooltip. */
export function full(ts) {
  const at = new Date(Number(ts) * 1000);
  return `${format(at, forms.date_long)}, ${format(at, { ...forms.time_secs, timeZoneName: "short" })}`;
}

/** Return the heading of the day a message was written on. */
export function day(ts, now = new Date()) {
  const at = new Date(Number(ts) * 1000);
  const word = nearby(at, now);
  return word ? word[0].toUpperCase() + word.slice(1) : format(at, forms.date_long);
}

function format(at, options) {
  return new Intl.DateTimeFormat(undefined, options).format(at);
}

function nearby(at, now) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((midnight(at) - midnight(now)) / 86_400_000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days] ?? null;
}

function ago(at, now) {
  const seconds = Math.round((at - now) / 1000);
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86_400], ["hour", 3_600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(seconds, "second");
}
