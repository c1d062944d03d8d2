// A difference of perhaps a thousand objects: more of them when asked for, and one of them found by its name.
import { Diff, SHOWN } from "./diff.js";
import { html, useState } from "./vendor/preact.js";
import { nameText } from "./revision-text.js";
import { plural } from "./words.js";

// find: the name looked for at first
export function LongDiff({ diff, kinds, tools, find }) {
	const [wanted, setWanted] = useState(diff.length > SHOWN && find || ""), text = wanted.trim().toLowerCase();
	const found = text ? diff.filter(one => `${one.name} ${nameText(one.kind, one.name, kinds)}`.toLowerCase().includes(text)) : diff;
	return html`${diff.length > SHOWN && html`<p class="find"><input type="search" aria-label="Find an object in these differences" placeholder="Find an object" value=${wanted} onInput=${event => setWanted(event.target.value)} />
		<span class="faint" role="status">${text ? `${found.length.toLocaleString()} of ` : ""}${plural(diff.length, "object")}</span></p>`}
		<${Diff} key=${text} diff=${found} kinds=${kinds} tools=${tools} />`;
}
