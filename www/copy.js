// Puts a text on the clipboard.
import { html, useEffect, useState } from "./vendor/preact.js";

const SAID_MS = 2000;

// Over plain HTTP there is no navigator.clipboard; a selection can be copied all the same.
async function copy(text) {
	if (navigator.clipboard)
		return navigator.clipboard.writeText(text);
	const box = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "hidden-text" });
	document.body.append(box);
	box.select();
	const done = document.execCommand("copy");
	box.remove();
	if (!done)
		throw new Error("refused");
	return undefined;
}

export function Copy({ text, what }) {
	const [said, say] = useState("");
	useEffect(() => {
		if (!said)
			return undefined;
		const timer = setTimeout(() => say(""), SAID_MS);
		return () => clearTimeout(timer);
	}, [said]);
	return html`<button type="button" class="secondary small" title=${text.includes("\n") ? null : text} onClick=${() => copy(text).then(() => say("Copied"), () => say("Not allowed"))}><span aria-live="polite">${said || "Copy"}</span><span class="hidden-text"> ${what}</span></button>`;
}
