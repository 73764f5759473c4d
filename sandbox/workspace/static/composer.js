// The message box: plain text is said, a line that starts with a slash is a command.

import { el } from "./dom.js";

/** Fill `form` with a message box. `send(text)` returns an error to show, or null. */
export function makeComposer(form, { id, testid, label, placeholder, commands, send }) {
  const text = el("textarea", {
    id,
    rows: 1,
    "data-testid": testid,
    "aria-label": label,
    "aria-describedby": `${id}-hint`,
    placeholder,
    maxlength: 4000,
  });
  const hint = el("p", { class: "composer-hint", id: `${id}-hint`, "aria-live": "polite" });
  const error = el("p", { class: "act-error", role: "alert", "data-testid": `${testid}-error`, hidden: true });
  const button = el("button", { class: "button primary", type: "submit", "data-testid": `${testid}-send` }, "Send");
  form.replaceChildren(error, hint, el("div", { class: "composer-box" }, text, button));

  const grow = () => {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 160)}px`;
  };
  const suggest = () => {
    const word = text.value.split(/\s/)[0];
    const fitting = word.startsWith("/") ? commands().filter((command) => command.name.startsWith(word)) : [];
    hint.replaceChildren(...fitting.map((command) =>
      el("span", {}, el("strong", {}, command.name), ` ${command.hint} `, el("em", {}, command.description))));
  };
  const submit = async () => {
    const line = text.value.trim();
    if (!line || button.disabled) return;
    button.disabled = true;
    const problem = await send(line);
    button.disabled = false;
    error.textContent = problem ?? "";
    error.hidden = !problem;
    if (!problem) text.value = "";
    suggest();
    grow();
    // The button lost the focus when it was disabled; who has gone elsewhere meanwhile is left there.
    if (document.activeElement === document.body) text.focus();
  };

  text.addEventListener("input", () => {
    suggest();
    grow();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    submit();
  };
}
